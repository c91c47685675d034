// Settings: the table of settings, their values and errors, files of secrets, addresses, the log's
// format.
//
// All mistakes are reported at once, by name, with the accepted range; a secret is never shown.
