"""Signature vectors from Python's hmac: python3 test/vectors/make-python.py > test/vectors/python.json"""
import base64, hashlib, hmac, json, sys

secrets = ["k", "whsec_0123456789abcdef", "p\u00e4ssword \u2603", "\U0001f511" * 8, "x" * 63, "x" * 64, "x" * 65, "x" * 200]
bodies = [b"", b"{}", "{\"name\":\"\u00e9\u2603\U0001f511\"}".encode(), b"\xef\xbb\xbf{}", b"\xff\xfe\x00", b"a\r\nb\n", b"z" * 16384, b"z" * 16385]
cases = [
    {
        "secret": secret,
        "payload_base64": base64.b64encode(body).decode(),
        "header": "sha256=" + hmac.new(secret.encode("utf-8"), body, hashlib.sha256).hexdigest(),
    }
    for secret in secrets
    for body in bodies
]
json.dump(cases, sys.stdout, indent=1)
print()
