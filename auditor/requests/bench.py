"""What the user asked of benchmarks, and the words of the command line that ask the same."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.requests.arguments import Arguments, Everywhere, each

PERPLEXITY = "perplexity"
"""The task of our own: how well a model predicts a text."""


@dataclass(frozen=True)
class BenchRequest:
    """Benchmarks, and how a model is asked them: the same for every model of a comparison.

    Attributes:
        tasks: names; of a classifier, files of rows with gold labels.
        data: a directory with the rows of tasks, one file a task.
        limit: rows of each task, from its beginning; None takes all.
        few_shot: worked examples before each question; None takes the task's own number.
        batch_size: requests that share a forward pass. With 1 nothing is padded.
        chat_template: whether questions are put through the model's chat template.
        text: the file of the perplexity task.
        window: tokens that the perplexity task shows at once; None takes the model's window, at most 1024.
        stride: tokens by which that window moves; None takes half of it.
        partners: whether the partners of an audit are asked as well.
        fresh: drop stored rows instead of going on from them.
    """

    tasks: tuple[str, ...] = ()
    data: str | None = None
    limit: int | None = None
    few_shot: int | None = None
    batch_size: int = 1
    chat_template: bool = False
    text: str | None = None
    window: int | None = None
    stride: int | None = None
    partners: bool = False
    fresh: bool = False

    def arguments(self, model: str, everywhere: Everywhere = Everywhere()) -> Arguments:
        """The benchmarks as arguments of `auditor bench`."""
        words = [*each("--task", self.tasks), *self._values("--data-dir", "--limit", "--few-shot", "--batch-size")]
        words += ["--window", str(self.window)] if self.window is not None else []
        words += ["--stride", str(self.stride)] if self.stride is not None else []
        words += ["--chat-template"] if self.chat_template else []
        words += ["--fresh"] if self.fresh else []
        device = [] if everywhere.device == "auto" else ["--device", everywhere.device]
        return ("bench", model, *words, *device)

    def options(self) -> list[str]:
        """The benchmarks as options of a scan or an audit."""
        if not self.tasks:
            return []
        names = ("--bench-data", "--bench-limit", "--bench-few-shot", "--bench-batch-size")
        words = [*each("--bench", self.tasks), *self._values(*names, text="--bench-text")]
        words += ["--bench-chat-template"] if self.chat_template else []
        return [*words, "--bench-partners"] if self.partners else words

    def _values(self, data: str, limit: str, few_shot: str, batch_size: str, text: str = "--text") -> list[str]:
        told = {
            data: self.data,
            limit: self.limit,
            few_shot: self.few_shot,
            batch_size: self.batch_size if self.batch_size != 1 else None,
            text: self.text,
        }
        return [word for flag, value in told.items() if value is not None for word in (flag, str(value))]
