"""Photos of many requests in common batches."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

from tfcap.config import ServingConfig
from tfcap.serving.metrics import Metrics


class Full(Exception):  # noqa: N818
    """No photo more can wait."""


class Waiting(NamedTuple):
    """A photo in the queue, and where its result goes."""

    photo: bytes
    pixels: float
    result: asyncio.Future


class Batcher:
    """Runs a model on whatever photos wait, a batch at a time.

    A batch is full at `config.batch` photos or `config.max_pixels` pixels, or goes when
    its first photo has waited `config.delay` seconds. A photo whose request has been
    cancelled is not run.

    Args:
        run: photos -> a result each; called in `worker`.
    """

    def __init__(
        self,
        run: Callable[[Sequence[bytes]], list],
        worker: Executor,
        config: ServingConfig,
        metrics: Metrics,
    ):
        self._run, self._worker = run, worker
        self._config, self._metrics = config, metrics
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue()
        self._next: Waiting | None = None
        self._count = 0

    async def submit(self, photos: Sequence[bytes], pixels: Sequence[float]) -> list:
        """A result for each photo, in order.

        Raises:
            Full: more photos would wait than `config.queue`.
        """
        if self._count and self._count + len(photos) > self._config.queue:
            raise Full
        loop = asyncio.get_running_loop()
        waiting = [Waiting(*pair, loop.create_future()) for pair in zip(photos, pixels)]
        self._change(len(waiting))
        for one in waiting:
            one.result.add_done_callback(lambda _: self._change(-1))
            self._queue.put_nowait(one)
        try:
            return await asyncio.gather(*(one.result for one in waiting))
        finally:
            for one in waiting:
                one.result.cancel()

    async def work(self) -> None:
        """Runs batches until it is cancelled."""
        while True:
            batch = await self._collect()
            batch = [one for one in batch if not one.result.done()]
            if batch:
                await self._caption(batch)

    async def _collect(self) -> list[Waiting]:
        first = self._next or await self._queue.get()
        self._next, batch, pixels = None, [first], first.pixels
        loop = asyncio.get_running_loop()
        until = loop.time() + self._config.delay
        while len(batch) < self._config.batch:
            one = await self._take(until - loop.time())
            if one is None:
                break
            if pixels + one.pixels > self._config.max_pixels:
                self._next = one
                break
            batch.append(one)
            pixels += one.pixels
        return batch

    async def _take(self, seconds: float) -> Waiting | None:
        """The next photo, or None if none comes in that time."""
        if not self._queue.empty():
            return self._queue.get_nowait()
        if seconds <= 0:
            return None
        try:
            return await asyncio.wait_for(self._queue.get(), seconds)
        except asyncio.TimeoutError:
            return None

    async def _caption(self, batch: list[Waiting]) -> None:
        loop = asyncio.get_running_loop()
        self._metrics.batch.observe(len(batch))
        try:
            with self._metrics.model.time():
                photos = [one.photo for one in batch]
                found = await loop.run_in_executor(self._worker, self._run, photos)
        except Exception as error:
            found = [error] * len(batch)
        for one, result in zip(batch, found):
            settle(one.result, result)

    def _change(self, by: int) -> None:
        self._count += by
        self._metrics.queue.inc(by)


def settle(future: asyncio.Future, result: Any) -> None:
    if future.done():  # its client has gone, or its time is up
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
