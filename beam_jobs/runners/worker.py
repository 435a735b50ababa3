"""A worker process, for a runner that starts one on each of its machines.

    --environment_type PROCESS --environment_config '{"command": "tfcap-worker"}'

It replaces the start of Beam's container image on a machine where this package is
installed. It asks the runner where to report, and serves it until the runner ends it.
"""

import argparse
import os
import sys
from collections.abc import Sequence

import grpc
from apache_beam.portability.api import (
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
)
from apache_beam.runners.worker import sdk_worker_main
from google.protobuf import json_format, text_format

PATIENCE = 60.0  # seconds


def main(argv: Sequence[str] | None = None) -> int:
    """Serves one runner; the runner says which by its flags."""
    parser = argparse.ArgumentParser(prog="tfcap-worker", description=__doc__)
    parser.add_argument("--id", required=True)
    parser.add_argument("--provision_endpoint", required=True)
    args, _ = parser.parse_known_args(argv)
    os.environ.update(environment(args.id, ask(args.id, args.provision_endpoint)))
    sdk_worker_main.main([])
    return 0


def ask(worker: str, endpoint: str) -> beam_provision_api_pb2.ProvisionInfo:
    """Asks a runner where its other services are.

    Raises:
        grpc.RpcError: there is none at `endpoint` (host:port).
    """
    request = beam_provision_api_pb2.GetProvisionInfoRequest()
    with grpc.insecure_channel(endpoint) as channel:
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        answer = service.GetProvisionInfo(
            request, metadata=[("worker_id", worker)], timeout=PATIENCE
        )
    return answer.info


def environment(
    worker: str, info: beam_provision_api_pb2.ProvisionInfo
) -> dict[str, str]:
    """Returns the environment variables that Beam's worker reads."""
    services = {
        field.name.removesuffix("_endpoint").upper(): text_format.MessageToString(value)
        for field, value in info.ListFields()
        if field.name.endswith("_endpoint")
    }
    return {
        "WORKER_ID": worker,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
        **{f"{name}_API_SERVICE_DESCRIPTOR": text for name, text in services.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
