// librabbitmq, and the little of it that Swift cannot call: variadic functions, macros, a union
// chosen by a tag. No logic lives here.
#pragma once

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/time.h>
#include <unistd.h>

#if __has_include(<rabbitmq-c/amqp.h>)  // 0.12 and later
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

// Variadic: the SASL mechanism decides which arguments follow.
static inline amqp_rpc_reply_t amity_login_plain(
    amqp_connection_state_t connection, const char *vhost, int frame_max, int heartbeat,
    const amqp_table_t *properties, const char *username, const char *password) {
  return amqp_login_with_properties(connection, vhost, AMQP_DEFAULT_MAX_CHANNELS, frame_max,
                                    heartbeat, properties, AMQP_SASL_METHOD_PLAIN, username,
                                    password);
}

// Macros with casts, which Swift does not import.
static const amqp_method_number_t amity_connection_close = AMQP_CONNECTION_CLOSE_METHOD;
static const amqp_method_number_t amity_connection_blocked = AMQP_CONNECTION_BLOCKED_METHOD;
static const amqp_method_number_t amity_connection_unblocked = AMQP_CONNECTION_UNBLOCKED_METHOD;
static const amqp_method_number_t amity_channel_close = AMQP_CHANNEL_CLOSE_METHOD;
static const amqp_method_number_t amity_queue_declare = AMQP_QUEUE_DECLARE_METHOD;
static const amqp_method_number_t amity_queue_declare_ok = AMQP_QUEUE_DECLARE_OK_METHOD;
static const amqp_method_number_t amity_basic_deliver = AMQP_BASIC_DELIVER_METHOD;
static const amqp_method_number_t amity_basic_return = AMQP_BASIC_RETURN_METHOD;
static const amqp_method_number_t amity_basic_cancel = AMQP_BASIC_CANCEL_METHOD;
static const amqp_method_number_t amity_basic_ack = AMQP_BASIC_ACK_METHOD;
static const amqp_method_number_t amity_basic_nack = AMQP_BASIC_NACK_METHOD;

static inline int amity_send_channel_close_ok(amqp_connection_state_t connection,
                                              amqp_channel_t channel) {
  amqp_channel_close_ok_t ok = {0};
  return amqp_send_method(connection, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
}
