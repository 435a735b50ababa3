"""The part of the commands that both jobs share."""

from types import SimpleNamespace

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from beam_jobs import build_records, caption_photos
from beam_jobs.command import print_outcome


@pytest.mark.parametrize(
    ("module", "product"), [(build_records, "records"), (caption_photos, "captions")]
)
def test_a_job_that_was_only_submitted(module, product, capsys):
    job, result = SimpleNamespace(output="out"), SimpleNamespace(state="RUNNING")
    print_outcome(module.make_command(), job, result, PipelineOptions([]), 2.0)
    assert capsys.readouterr().out == f"submitted; the {product} will be in out\n"
