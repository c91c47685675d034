// OpenSSL, which librabbitmq encrypts with: only to say whom it may trust. Swift can call all of it
// but the macros, and those are spelled out where they are used.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
