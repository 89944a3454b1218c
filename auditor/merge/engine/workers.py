"""The threads of a merge: they take pieces of work in order, and stop together."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence

from auditor.merge.engine.files import Aborted, InputFile, Turns
from auditor.merge.engine.slices import Blender, Look, Slice
from auditor.merge.numerics.arithmetic import Arithmetic

Work = InputFile | Slice | Look
"""A file to hash in a pass of its own, a slice to make, or a tensor to look at beforehand."""


class Crew:
    """Threads that go through lists of work, each list in its order; what they raise is raised again.

    A thread may wait for work that comes earlier. So lists with slices must be cut out of one order, and each must have
    threads of its own.
    """

    def __init__(self, blender: Blender, turns: Turns) -> None:
        self._blender = blender
        self._turns = turns
        self._news: queue.SimpleQueue[str | BaseException | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self, work: Sequence[Work], arithmetics: Sequence[Arithmetic]) -> None:
        """Starts one thread for each arithmetic; together they go through the work."""
        tasks = _Tasks(work)
        for arithmetic in arithmetics:
            thread = threading.Thread(target=self._labour, args=(tasks, arithmetic), name="merge", daemon=True)
            self._threads.append(thread)
            thread.start()

    def finished(self) -> Iterator[str]:
        """Names of tensors as they are finished, until all work is done; raises what a thread has raised."""
        working = len(self._threads)
        while working:
            news = self._news.get()
            if isinstance(news, BaseException):
                raise news
            if news is None:
                working -= 1
            else:
                yield news

    def stop(self) -> None:
        """Stops the threads and waits for them."""
        self._turns.stop()
        for thread in self._threads:
            thread.join()

    def _labour(self, tasks: _Tasks, arithmetic: Arithmetic) -> None:
        try:
            while not self._turns.stopped and (task := tasks.next()) is not None:
                self._do(task, arithmetic)
        except Aborted:
            pass
        except BaseException as error:  # raised again in the thread that asked
            self._turns.stop()
            self._news.put(error)
        self._news.put(None)

    def _do(self, task: Work, arithmetic: Arithmetic) -> None:
        if isinstance(task, InputFile):
            task.hash_whole()
        elif isinstance(task, Look):
            self._blender.look(task, arithmetic)
        else:
            self._blender.make(task, arithmetic)
            if task.last:
                self._news.put(task.tensor.name)


class _Tasks:
    """A list of work that several threads share."""

    def __init__(self, work: Sequence[Work]) -> None:
        self._lock = threading.Lock()
        self._left = iter(work)

    def next(self) -> Work | None:
        with self._lock:
            return next(self._left, None)
