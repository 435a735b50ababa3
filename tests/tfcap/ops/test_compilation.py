"""Operations in C++: compiled once, and done without where that cannot be."""

import os
import stat
import subprocess
import sys

import pytest
import tensorflow as tf

from tfcap.ops import compilation

ANSWER = """
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

class Answer : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(tensorflow::OpKernelContext* context) override {
    tensorflow::Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, {}, &output));
    output->scalar<int>()() = 42;
  }
};
REGISTER_OP("TfcapAnswer").Output("answer: int32").SetIsStateful();
REGISTER_KERNEL_BUILDER(Name("TfcapAnswer").Device("CPU"), Answer);
"""


@pytest.fixture
def make_source(tmp_path, monkeypatch):
    """Returns a function that writes a C++ file; what is compiled lies beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TFCAP_COMPILE", raising=False)

    def make(code: str = "none of it\n"):
        source = tmp_path / "answer.cc"
        source.write_text(code)
        return source

    return make


@pytest.fixture
def compiler(monkeypatch, tmp_path):
    """Returns a function that takes a shell script for the compiler."""

    def take(script: str):
        path = tmp_path / "compiler"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("CXX", str(path))

    return take


@pytest.mark.slow
def test_operations_are_compiled_once(make_source, monkeypatch, caplog, own_compiler):
    caplog.set_level("INFO")
    source = make_source(ANSWER)
    assert compilation.operations(source).tfcap_answer() == 42
    assert compilation.library(source).exists()  # the compiler is not asked again
    assert caplog.messages == [
        "compiling answer.cc, once for this TensorFlow; about half a minute"
    ]


@pytest.fixture
def own_compiler():
    try:
        subprocess.run(["c++", "--version"], check=True, capture_output=True)
    except OSError:
        pytest.skip("needs a C++ compiler, c++")


def test_other_code_is_compiled_anew(make_source, compiler):
    compiler('while [ "$1" != -o ]; do shift; done; echo code > "$2"')
    first = compilation.library(make_source("one"))
    assert compilation.library(make_source("other")) != first
    assert compilation.library(make_source("one")) == first
    assert [path.suffix for path in first.parent.glob("*.unfinished")] == []


def test_other_headers_options_and_processors_are_compiled_anew(
    make_source, compiler, monkeypatch
):
    compiler('while [ "$1" != -o ]; do shift; done; echo code > "$2"')
    source = make_source("one")
    found = [compilation.library(source), compilation.library(source, "-O3")]
    source.with_name("part.h").write_text("one")
    found.append(compilation.library(source))
    source.with_name("part.h").write_text("other")
    found.append(compilation.library(source))
    monkeypatch.setattr(compilation, "processor", lambda: "another one")
    found.append(compilation.library(source))
    assert len(set(found)) == 5


def test_the_environment_can_refuse_them(make_source, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setenv("TFCAP_COMPILE", "0")
    assert compilation.operations(make_source()) is None
    assert caplog.messages == []


def warning_without(source, caplog) -> str:
    """Returns the warning, given once, about a file that cannot be compiled."""
    assert compilation.operations(source) is None
    assert compilation.operations(source) is None
    (warning,) = caplog.messages
    assert "TensorFlow's own operations do the same, slower" in warning
    return warning


def test_no_compiler_is_said(make_source, monkeypatch, caplog):
    monkeypatch.setenv("CXX", "no-such-compiler --fast")
    warning = warning_without(make_source(), caplog)
    assert "answer.cc is not compiled: there is no C++ compiler 'no-such" in warning


def test_a_compiler_that_is_no_command_is_said(make_source, monkeypatch, caplog):
    monkeypatch.setenv("CXX", "g++ 'unbalanced")
    warning = warning_without(make_source(), caplog)
    assert 'not compiled: CXX="g++ \'unbalanced" is no command (No closing' in warning


@pytest.mark.parametrize("given", ["", "  "])
def test_an_empty_compiler_is_the_usual_one(monkeypatch, given):
    monkeypatch.setenv("CXX", given)
    assert compilation.compiler() == ["c++"]


def test_the_compilers_first_error_is_said(make_source, compiler, caplog):
    compiler("echo In file included from here >&2; echo a.cc:1: error: odd >&2; exit 1")
    assert "not compiled: a.cc:1: error: odd." in warning_without(make_source(), caplog)


def test_a_compiler_that_says_nothing_is_named(make_source, compiler, caplog):
    compiler("exit 3")
    assert "non-zero exit status 3" in warning_without(make_source(), caplog)


def test_what_is_no_library_is_not_loaded(make_source, compiler, caplog):
    compiler('while [ "$1" != -o ]; do shift; done; echo nonsense > "$2"')
    assert "not compiled: " in warning_without(make_source(), caplog)


def test_no_place_to_write_to_is_said(make_source, monkeypatch, tmp_path, caplog):
    source = make_source()
    monkeypatch.setenv("XDG_CACHE_HOME", str(source))
    assert "Not a directory" in warning_without(source, caplog)


@pytest.mark.slow
def test_two_processes_compile_it_once(make_source, compiler, tmp_path):
    compiler(
        f"echo >> {tmp_path}/calls; sleep 1; "
        'while [ "$1" != -o ]; do shift; done; echo code > "$2"'
    )
    source = make_source()
    code = (
        "import sys; from pathlib import Path; "
        "from tfcap.ops.compilation import library; "
        "library(Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(source)]
    for process in [subprocess.Popen(command) for _ in range(2)]:
        assert process.wait() == 0
    assert (tmp_path / "calls").read_text() == "\n"


def test_flags_are_those_of_the_installed_tensorflow(make_source, compiler, tmp_path):
    compiler(
        f'echo "$@" > {tmp_path}/flags; '
        'while [ "$1" != -o ]; do shift; done; echo code > "$2"'
    )
    compilation.library(make_source(), "-march=native")
    flags = (tmp_path / "flags").read_text()
    own = [*tf.sysconfig.get_compile_flags(), *tf.sysconfig.get_link_flags()]
    for flag in [*own, "-march=native"]:
        assert flag in flags


WRITES_CODE = 'while [ "$1" != -o ]; do shift; done; echo code > "$2"'


@pytest.fixture
def folder(make_source, tmp_path):
    """Where compiled files lie, not there yet."""
    return tmp_path / "cache" / "tfcap"


def test_the_folder_is_this_users_alone(make_source, compiler, folder):
    compiler(WRITES_CODE)
    path = compilation.library(make_source())
    assert path.parent == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not path.stat().st_mode & 0o077


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_a_folder_that_others_can_write_to_is_refused(
    make_source, compiler, folder, mode, caplog
):
    compiler(WRITES_CODE)
    folder.mkdir(parents=True)
    folder.chmod(mode)
    warning = warning_without(make_source(), caplog)
    assert f"others can write to it (mode {mode:o}); remove it, or set XDG" in warning
    assert list(folder.iterdir()) == []


def test_another_users_folder_is_refused(
    make_source, compiler, folder, caplog, monkeypatch
):
    compiler(WRITES_CODE)
    folder.mkdir(parents=True)
    owner = folder.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    warning = warning_without(make_source(), caplog)
    assert f"{folder} holds libraries that would be loaded" in warning
    assert f"belongs to another user (uid {owner})" in warning


def test_a_folder_that_is_a_link_is_refused(make_source, compiler, folder, caplog):
    compiler(WRITES_CODE)
    elsewhere = folder.parent.parent / "elsewhere"
    elsewhere.mkdir()
    folder.parent.mkdir()
    folder.symlink_to(elsewhere)
    assert "is a symbolic link" in warning_without(make_source(), caplog)
    assert list(elsewhere.iterdir()) == []


def cut_short(path):
    path.write_bytes(path.read_bytes()[:2])


def put_a_link(path):
    path.rename(path.with_suffix(".other"))
    path.symlink_to(path.with_suffix(".other"))


def let_others_write(path):
    path.chmod(0o722)


def lose_the_digest(path):
    path.with_suffix(".sha256").unlink()


def damage_the_digest(path):
    path.with_suffix(".sha256").write_bytes(b"\xff")


@pytest.mark.parametrize(
    "damage",
    [cut_short, put_a_link, let_others_write, lose_the_digest, damage_the_digest],
)
def test_a_file_that_is_not_as_it_was_compiled_is_compiled_again(
    make_source, compiler, damage
):
    compiler(WRITES_CODE)
    source = make_source()
    path = compilation.library(source)
    damage(path)
    compiler('while [ "$1" != -o ]; do shift; done; echo again > "$2"')
    assert compilation.library(source) == path
    assert path.read_text() == "again\n"
    assert not path.is_symlink()
    compiler("exit 1")  # nothing is compiled a third time
    assert compilation.library(source) == path


def test_a_lock_that_is_a_link_is_not_followed(make_source, compiler, caplog):
    compiler(WRITES_CODE)
    source = make_source()
    path = compilation.library(source)
    lock = path.with_suffix(".so.lock")
    lock.unlink()
    lock.symlink_to(source.with_name("victim"))
    assert "symbolic link" in warning_without(source, caplog)
    assert not source.with_name("victim").exists()
