"""A receiver as Pathfinder's page shows it for Python, on the server that Python brings: it verifies, and keeps no record."""

import hashlib
import hmac
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ["SAMPLE_SECRET"]


def is_genuine(raw_body, header):
    digest = hmac.new(SECRET.encode("utf-8"), raw_body, hashlib.sha256).hexdigest()
    # As on the page: without a header this is a TypeError.
    return hmac.compare_digest(header, "sha256=" + digest)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        raw_body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not is_genuine(raw_body, self.headers.get("X-Pathfinder-Signature")):
            return self.answer(401, b"no")
        event = json.loads(raw_body)
        if event["type"] == "user.created":
            event["data"]["user"]
        self.answer(200, b"OK")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
