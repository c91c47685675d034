"""Verifies the signature of a webhook whose body is standard input.

Arguments: standardwebhooks or plain, the secret, the id, the timestamp, the signatures.
"""

import base64
import hashlib
import hmac
import sys

how, secret, identifier, timestamp, signatures = sys.argv[1:]
body = sys.stdin.buffer.read()
headers = {
    "webhook-id": identifier,
    "webhook-timestamp": timestamp,
    "webhook-signature": signatures,
}
if how == "standardwebhooks":
    from standardwebhooks import Webhook

    Webhook(secret).verify(body.decode(), headers)
else:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{identifier}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    if f"v1,{expected}" not in signatures.split(" "):
        sys.exit("no signature of this key")
