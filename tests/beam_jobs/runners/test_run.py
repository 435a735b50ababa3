"""Options and errors on their way through Beam."""

import argparse
import gc
import os
import signal
import tempfile
from contextlib import suppress

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import DirectOptions, StandardOptions

from beam_jobs.runners import dry_run
from beam_jobs.runners.options import parse_beam_options, parse_command
from beam_jobs.runners.run import run_pipeline
from records.errors import UserError


def test_beam_options_pass_through():
    flags = ["--direct_num_workers=2", "--runner", "FlinkRunner", "--experiment=x"]
    options = parse_beam_options([*flags, "--no_use_public_ips"])
    assert options.view_as(DirectOptions).direct_num_workers == 2
    assert options.view_as(StandardOptions).runner == "FlinkRunner"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--runer=X"], r"unknown option --runer; did you mean --runner\?"),
        (["--direct-num-workers=2"], "did you mean --direct_num_workers"),
        (["--xx_runner=X"], "unknown option --xx_runner"),
        (["--fotos", "DIR"], "unknown option --fotos; did you mean --photos"),
        (["-x"], "unknown option -x$"),
        (["--photo=x"], r"unknown option --photo; did you mean --photos\?"),
        (["--epochs=3"], r"mean tfcap train \.\.\. --set training.epochs=3\?"),
        (["stray"], "unexpected argument 'stray'"),
        (["--runner", "DirectRunner", "stray"], "unexpected argument 'stray'"),
    ],
)
def test_anything_else_is_refused_by_name(flags, message):
    with pytest.raises(UserError, match=message):
        parse_beam_options(flags, ["photos"])


def test_a_wrong_flag_exits_with_2(capsys):
    parser = argparse.ArgumentParser(prog="job", allow_abbrev=False)
    parser.add_argument("--max_reject_fraction")
    with pytest.raises(SystemExit) as exit_:
        parse_command(parser, ["--max_reject_fractoin=1"])
    assert exit_.value.code == 2
    assert "did you mean --max_reject_fraction?" in capsys.readouterr().err


def test_own_options_and_beams():
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos")
    args, options = parse_command(parser, ["--photos=a", "--direct_num_workers=3"])
    assert args.photos == "a"
    assert options.view_as(DirectOptions).direct_num_workers == 3


def test_dask_is_refused():
    with pytest.raises(UserError, match="DaskRunner reports success and writes nothin"):
        run_pipeline(lambda p: None, parse_beam_options(["--runner=DaskRunner"]))


def raise_user_error(what):
    raise UserError(f"no {what} in /data; make one")


def raise_defect(what):
    raise ZeroDivisionError(what)


@pytest.mark.parametrize("mode", ["in_memory", "multi_threading"])
def test_a_workers_user_error_comes_out_as_it_was(mode):
    options = parse_beam_options([f"--direct_running_mode={mode}"])
    with pytest.raises(UserError) as error:
        run_pipeline(
            lambda p: p | beam.Create(["x"]) | beam.Map(raise_user_error), options
        )
    assert str(error.value) == "no x in /data; make one"


def interrupt(what):
    signal.raise_signal(signal.SIGINT)


def interrupt_and_lose_it(what):
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise RuntimeError("what a library made of it") from None


@pytest.mark.parametrize("mode", ["in_memory", "multi_threading"])
@pytest.mark.parametrize("step", [interrupt, interrupt_and_lose_it])
def test_ctrl_c_is_an_interrupt_even_if_a_library_replaced_it(mode, step):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(
            lambda p: p | beam.Create(["x"]) | beam.Map(step),
            parse_beam_options([f"--direct_running_mode={mode}"]),
        )
    assert signal.getsignal(signal.SIGINT) is before


def test_a_defect_keeps_its_stack():
    with pytest.raises(ZeroDivisionError):
        run_pipeline(
            lambda p: p | beam.Create(["x"]) | beam.Map(raise_defect),
            parse_beam_options([]),
        )


def test_a_local_pipeline_has_ended_when_it_returns():
    result = run_pipeline(lambda p: p | beam.Create(["x"]), parse_beam_options([]))
    assert result.state == "DONE"


def end(pipeline):
    pipeline | beam.Create(["x"])


def break_off(pipeline):
    raise UserError("no graph")


@pytest.mark.parametrize("does", [run_pipeline, dry_run.prepare])
@pytest.mark.parametrize("build", [end, break_off])
def test_nothing_is_left_among_temporary_files(does, build, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with suppress(UserError):
        does(build, parse_beam_options([]))
    assert os.listdir(tmp_path) == []


def test_the_collector_is_as_it_was_when_a_run_has_ended():
    run_pipeline(end, parse_beam_options([]))
    assert gc.get_freeze_count() == 0
