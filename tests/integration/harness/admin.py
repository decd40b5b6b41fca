"""Requests to the administration that are more than a GET."""

import json
import urllib.error
import urllib.request


def ask_admin(proxy, method, path, headers=None, body=None):
    """Status and body, whatever the status."""
    request = urllib.request.Request(f"http://127.0.0.1:{proxy.admin_port}{path}", method=method, headers=headers or {},
                                     data=body)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def set_cap(proxy, **cap):
    """As somebody who has the token."""
    return ask_admin(proxy, "POST", "/api/v1/caps", {"Authorization": f"Bearer {proxy.TOKEN}", "X-Tidegate-User": "me"},
                     json.dumps(cap).encode())
