// PrometheusMetrics: the backend of swift-metrics that writes Prometheus' text. Depends on no other
// module.
