"""How token rows come together: which rows in which order in which sequence, and their batch as tensors.

The order is a function of seed and epoch, and the epoch is read off the trainer's own state. So nothing of a sampler
has to be saved: a run that resumes in the middle of an epoch makes the same order again and skips what was seen.

With several ranks the last forward pass of an epoch is filled up with blanks, a token without loss each. Otherwise
accelerate would fill it with the epoch's first rows, and these would be trained on twice.

Rows were shuffled when they were written, so here they are only shuffled within windows of neighbours, and the windows
among each other after the first epoch: the files are read nearly in sequence, and no epoch's order lies in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import numpy as np

from postraining_sft.packing import best_fit, require_packing
from utils.training.shards import TokenShards

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from transformers import Trainer

__all__ = ["IGNORED", "Batches", "Plan", "in_order", "make_plan", "order", "packed", "padded", "require_packing"]

IGNORED = -100
"""The label of a token without loss."""

PADDING, CONVERSATION, DOCUMENT = -1, 0, 1
"""What a token of a batch belongs to."""

WINDOW = 1 << 16

Batching = Literal["packed", "by_length", "random"]
TrainerT = TypeVar("TrainerT", bound="Trainer")


@dataclass(frozen=True, slots=True)
class Plan:
    """Which rows share a sequence.

    Args:
        lengths: tokens of each sequence, (sequences,).
        rows: row numbers, sequence after sequence; None: every row is a sequence of its own.
        starts: where each sequence begins in `rows`, and the end, (sequences + 1,); None with `rows`.

    """

    lengths: np.ndarray
    rows: np.ndarray | None = None
    starts: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    def members(self, sequence: int) -> list[int]:
        """Return the row numbers of a sequence."""
        if self.rows is None or self.starts is None:
            return [sequence]
        found: list[int] = self.rows[self.starts[sequence] : self.starts[sequence + 1]].tolist()
        return found


def make_plan(batching: Batching, lengths: np.ndarray, max_length: int) -> Plan:
    """Return what shares a sequence; the same for every rank and every epoch.

    Args:
        batching: packed: several rows in one sequence; else each for itself.
        lengths: tokens of each row, (rows,).
        max_length: tokens of a sequence.

    """
    if batching != "packed":
        return Plan(lengths)
    rows, sizes = [], [0]
    for begin in range(0, len(lengths), WINDOW):
        for members in best_fit(lengths[begin : begin + WINDOW].tolist(), max_length):
            rows += [begin + member for member in members]
            sizes.append(len(members))
    starts = np.cumsum(np.array(sizes, dtype=np.int64))
    flat = np.array(rows, dtype=np.int64)
    return Plan(np.add.reduceat(lengths[flat], starts[:-1]) if len(flat) else lengths[:0], flat, starts)


def order(plan: Plan, batching: Batching, *, seed: int, epoch: int, chunk: int) -> Iterator[int]:
    """Give the numbers of all sequences, each once, in the order of an epoch.

    Args:
        plan: the sequences.
        batching: `by_length` puts sequences of like length into the same chunk; the chunks come in any order.
        seed: of the run.
        epoch: 0, 1, 2 …
        chunk: sequences of one forward pass over all ranks.

    """
    random = np.random.default_rng([seed, epoch])
    size = max(1, WINDOW // chunk) * chunk
    whole = np.arange(len(plan) // size)
    windows = [*(random.permutation(whole) if epoch else whole).tolist(), len(whole)]  # the short one comes last
    for window in windows:
        items = window * size + random.permutation(min(size, len(plan) - window * size))
        if batching == "by_length":
            items = _alike(items, plan.lengths, chunk, random)
        yield from items.tolist()


def _alike(items: np.ndarray, lengths: np.ndarray, chunk: int, random: np.random.Generator) -> np.ndarray:
    """Cut items into chunks of like length, in any order; a chunk that is not full stays last, and is of any length."""
    full = len(items) - len(items) % chunk
    first, rest = items[:full], items[full:]
    chunks = first[np.argsort(lengths[first], kind="stable")].reshape(-1, chunk)
    return np.concatenate([random.permutation(chunks).reshape(-1), rest])


@dataclass(frozen=True, slots=True)
class Batches:
    """All that a trainer needs to know of its rows.

    Args:
        shards: the rows.
        plan: what shares a sequence.
        batching: as in the config.
        seed: of the order.
        chunk: sequences of one forward pass over all ranks.
        pad: id of the padding token.
        flat: packed sequences of a batch one behind another in a single one, as flash attention wants them.
        ranks: that share a chunk.

    """

    shards: TokenShards
    plan: Plan
    batching: Batching
    seed: int
    chunk: int
    pad: int
    flat: bool = False
    ranks: int = 1

    def __len__(self) -> int:
        """Count the sequences of an epoch: what `batch_size` counts."""
        return len(self.plan)

    @property
    def blanks(self) -> int:
        """Count the blanks of an epoch; their numbers follow those of the sequences."""
        return -len(self) % self.chunk if self.ranks > 1 else 0

    def order(self, epoch: int) -> Iterator[int]:
        """Give the sequence numbers of an epoch, and the blanks."""
        return self._filled(order(self.plan, self.batching, seed=self.seed, epoch=epoch, chunk=self.chunk))

    def _filled(self, numbers: Iterator[int]) -> Iterator[int]:
        """Spread what does not fill a chunk evenly over the ranks, and let blanks take the places that are left."""
        if not self.blanks:
            yield from numbers
            return
        yield from islice(numbers, len(self) - len(self) % self.chunk)
        blanks = iter(range(len(self), len(self) + self.blanks))
        for mine in np.array_split(list(numbers), self.ranks):
            yield from mine.tolist()
            yield from islice(blanks, self.chunk // self.ranks - len(mine))

    def dataset(self, *, sort: bool = False) -> Dataset:
        """Return the sequences as a dataset that reads them when asked.

        Items have `input_ids` and `labels`, (tokens,) int64, the row's number `row`, and `document`, 1 for a
        pretraining document. Packed, the latter two are lists, and there is `length`, the tokens of each row. A blank
        is a sequence without rows.

        Args:
            sort: by length, for an evaluation, whose order does not matter.

        """
        from datasets import Dataset

        numbers = np.arange(len(self) + self.blanks)
        if sort:
            longest_first: list[int] = np.argsort(-self.plan.lengths, kind="stable").tolist()
            numbers = np.fromiter(self._filled(iter(longest_first)), dtype=np.int64)
        return Dataset.from_dict({"sequence": numbers}).with_transform(Reader(self.shards, self.plan, self.pad))

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Make a batch of items.

        Returns:
            `input_ids`, `labels` and `document` (PADDING, CONVERSATION or DOCUMENT), each (batch, tokens);
            `row`, (rows,); and `attention_mask`, or for packed sequences `position_ids`, from 0 in every row.

        """
        items = [item for item in items if np.size(item["row"])] or items[:1]  # blanks only where there is nothing else
        return packed(items, self.pad, flat=self.flat) if self.batching == "packed" else padded(items, self.pad)


class Reader:
    """Turns sequence numbers into items; the files are opened anew in another process."""

    def __init__(self, shards: TokenShards, plan: Plan, pad: int) -> None:
        self.shards = shards
        self.plan = plan
        self.pad = pad

    def __call__(self, batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        """Return the columns of some sequences."""
        items = [self._item(number) for number in batch["sequence"]]
        return {key: [item[key] for item in items] for key in items[0]} if items else {}

    def _item(self, number: int) -> dict[str, Any]:
        if number >= len(self.plan):
            return self._blank()
        members = self.plan.members(number)
        rows = [self.shards[row] for row in members]
        labels = [np.where(row.mask, row.ids, np.int64(IGNORED)) for row in rows]
        for label in labels:
            label[0] = IGNORED  # nothing in its own row comes before it
        documents = [int(row.document) for row in rows]
        tokens = {
            "input_ids": np.concatenate([row.ids for row in rows]).astype(np.int64),
            "labels": np.concatenate(labels),
        }
        if self.plan.rows is None:
            return {**tokens, "row": members[0], "document": documents[0]}
        return {**tokens, "row": members, "document": documents, "length": [len(row.ids) for row in rows]}

    def _blank(self) -> dict[str, Any]:
        blank = {"input_ids": np.array([self.pad]), "labels": np.array([IGNORED]), "row": [], "document": PADDING}
        return blank if self.plan.rows is None else {**blank, "document": [PADDING], "length": [1]}


def padded(items: list[dict[str, Any]], pad: int) -> dict[str, torch.Tensor]:
    """Collate sequences of one row each: padded on the right, to the longest of the batch."""
    import torch

    batch = _stacked(items, pad)
    seen = (batch["document"] != PADDING).to(torch.int64)
    seen[:, 0] = 1  # of a blank too: attention to nothing at all is NaN
    return {**batch, "attention_mask": seen}


def packed(items: list[dict[str, Any]], pad: int, *, flat: bool = False) -> dict[str, torch.Tensor]:
    """Collate packed sequences: no attention mask, so that attention goes by the restarts of `position_ids`.

    Padding restarts at every token, so that it sees and is seen by nothing.
    """
    import torch

    if flat:
        items = [{key: _joined([item[key] for item in items]) for key in items[0]}]
    batch = _stacked(items, pad)
    positions = np.zeros(batch["input_ids"].shape, dtype=np.int64)
    for line, item in enumerate(items):
        places = np.concatenate([np.arange(length) for length in item["length"]])
        positions[line, : len(places)] = places
    batch["position_ids"] = torch.from_numpy(positions)
    return {**batch, **_borders(items[0]["length"])} if flat else batch


def _joined(values: list[Any]) -> Any:
    return np.concatenate(values) if isinstance(values[0], np.ndarray) else [one for value in values for one in value]


def _borders(lengths: list[int]) -> dict[str, Any]:
    """Return what flash attention's kernel for rows of several lengths asks for, as transformers names it."""
    import torch

    ends = torch.tensor([0, *np.cumsum(lengths).tolist()], dtype=torch.int32)
    return {"cu_seq_lens_q": ends, "cu_seq_lens_k": ends, "max_length_q": max(lengths), "max_length_k": max(lengths)}


def _stacked(items: list[dict[str, Any]], pad: int) -> dict[str, torch.Tensor]:
    import torch

    shape = (len(items), max(len(item["input_ids"]) for item in items))
    batch = {
        "input_ids": np.full(shape, pad, dtype=np.int64),
        "labels": np.full(shape, IGNORED, dtype=np.int64),
        "document": np.full(shape, PADDING, dtype=np.int64),
    }
    for line, item in enumerate(items):
        length = item.get("length", len(item["input_ids"]))
        columns = {**item, "document": np.repeat(item["document"], length)}
        for key, values in batch.items():
            values[line, : len(columns[key])] = columns[key]
    rows = np.concatenate([np.atleast_1d(np.asarray(item["row"], dtype=np.int64)) for item in items])
    return {key: torch.from_numpy(values) for key, values in {**batch, "row": rows}.items()}


def in_order(trainer: type[TrainerT], batches: Batches) -> type[TrainerT]:
    """Return a trainer that takes its training sequences in the order of `batches`, after a resume too."""
    from torch.utils.data import Sampler

    class EpochSampler(Sampler[int]):
        """The order of the epoch that the trainer is in."""

        def __init__(self, owner: Any) -> None:
            self.owner = owner

        def __len__(self) -> int:
            return len(batches) + batches.blanks

        def __iter__(self) -> Iterator[int]:
            return batches.order(int(self.owner.state.epoch or 0))  # restored with the checkpoint, before this is asked

    def train_sampler(self: Trainer, *_: Any) -> Sampler[int]:
        return EpochSampler(self)

    return cast("type[TrainerT]", type(trainer.__name__, (trainer,), {"_get_train_sampler": train_sampler}))
