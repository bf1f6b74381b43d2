"""The floor: Flask under waitress that checks the signature, reads the JSON and answers."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys

import waitress
from flask import Flask, request

from benchmarks.crash.vendors import SECRET

app = Flask("bare")


@app.post("/hooks/network")
def hook() -> tuple[str, int]:
    """Verify and answer."""
    body = request.get_data()
    signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature, request.headers.get("X-Signature", "")):
        return "", 401
    json.loads(body)
    return "stored", 200


if __name__ == "__main__":
    waitress.serve(app, host="127.0.0.1", port=int(sys.argv[1]), threads=32, _quiet=True)
