// Digests: SHA-256 and HMAC by OpenSSL. Pure; depends on no other module but COpenSSL.
