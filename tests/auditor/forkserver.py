"""Runs `auditor` commands as processes of their own, forked from one that has imported torch already.

One JSON object a line on stdin: `argv`; `stdout` and `stderr` (files; `broken`: a pipe that nobody reads; `none`:
closed before the start; `same`, of stderr: where stdout goes); `cwd`; `environ`; `file_limit` (bytes, as a full disk);
`session` (whether it leads a session of its own). Answers with the process's id, then its code.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys


def warm() -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: F401
    from transformers.models.bert import modeling_bert, tokenization_bert  # noqa: F401

    import auditor.cli
    import auditor.console.narrate
    import auditor.models.runtime.load
    import auditor.reports.formats.html
    import auditor.reports.formats.text
    import auditor.session  # noqa: F401
    import store.engine  # noqa: F401

    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()


def redirect(target: str, descriptor: int) -> None:
    if target == "same":
        writer = os.dup(1)
    elif target == "broken":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(writer, descriptor)
    os.close(writer)


def command(job: dict[str, object]) -> None:
    """In the child: becomes the command."""
    from auditor.cli import main

    if job.get("session"):
        os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        if job[name] == "none":
            os.close(descriptor)
            setattr(sys, name, None)
        else:
            redirect(str(job[name]), descriptor)
            setattr(sys, name, os.fdopen(descriptor, "w", encoding="utf-8", closefd=False))
    os.chdir(str(job["cwd"]))
    os.environ.update(job["environ"])  # type: ignore[arg-type]
    if job.get("file_limit") is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(job["file_limit"]), -1))  # type: ignore[call-overload]
    sys.argv = ["auditor", *job["argv"]]  # type: ignore[misc]
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    # What Python itself does at exit, less the second that it takes to undo torch's imports.
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            code = 120
    os._exit(int(code or 0))  # type: ignore[call-overload]


def serve() -> None:
    warm()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            answers.close()
            command(json.loads(line))
        answers.write(f"{pid}\n")
        _, status = os.waitpid(pid, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")


if __name__ == "__main__":
    serve()
