"""A Flink cluster's own interface (REST), for what Beam's job server does not do there.

When a job is cancelled, the job server stops waiting for it, but the cluster keeps
running it.
"""

import json
import sys
import urllib.error
import urllib.request

SECONDS = 10.0
GONE = ("CANCELED", "FAILED", "FINISHED")


def cancel(master: str, name: str) -> None:
    """Cancels a job, or warns on standard error that it may still run.

    Args:
        master: the cluster's address, `host:port` with or without a scheme before it.
        name: of the job; if several have it, the one started last is cancelled.
    """
    base = master if "://" in master else f"http://{master}"
    try:
        jobs = call("GET", f"{base}/jobs/overview")["jobs"]
        ours = [job for job in jobs if job["name"] == name and job["state"] not in GONE]
        for job in sorted(ours, key=lambda job: job["start-time"])[-1:]:
            call("PATCH", f"{base}/jobs/{job['jid']}?mode=cancel")
    except (OSError, ValueError, KeyError) as error:
        print(
            f"{name} may still run at {base}; cancel it there ({error})",
            file=sys.stderr,
        )


def call(method: str, url: str) -> dict:
    """Returns the cluster's answer.

    Raises:
        OSError: no answer, or one that says no.
        ValueError: an answer that is not JSON.
    """
    request = urllib.request.Request(url, method=method)
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return json.load(answer)
