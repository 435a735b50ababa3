"""Photos of many requests in common batches."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from tfcap.config.serving import ServingConfig
from tfcap.serving.metrics import Metrics


class Full(Exception):  # noqa: N818
    """No photo more can wait."""


Run = Callable[[Sequence[bytes]], list]  # photos -> a result each


@dataclass(eq=False)
class Waiting:
    """A photo in the queue, what is to be done with it, and where its result goes."""

    run: Run
    photo: bytes
    pixels: float
    result: asyncio.Future


class Batcher:
    """Runs a model on whatever photos wait, a batch at a time, in the order they came.

    A batch is full at `config.batch` photos or `config.max_pixels` pixels, or where the
    next photo is for another `run`, or goes when its first photo has waited
    `config.delay` seconds. A photo whose request has been cancelled is not run.

    What waits and what runs is `config.queue` photos and `config.max_waiting_pixels`
    together, so that the last of them is done in time. A batch that runs counts to its
    end, whoever has gone meanwhile.

    Args:
        worker: in which the model runs.
    """

    def __init__(self, worker: Executor, config: ServingConfig, metrics: Metrics):
        self._worker, self._config, self._metrics = worker, config, metrics
        self._queue: deque[Waiting] = deque()
        self._batch: list[Waiting] = []
        self._arrived = asyncio.Event()
        metrics.queue.set_function(lambda: len(self._queue) + len(self._batch))

    async def submit(
        self, run: Run, photos: Sequence[bytes], pixels: Sequence[float]
    ) -> list:
        """A result for each photo, in order.

        Raises:
            Full: more would wait than may.
        """
        self._check_room(pixels)
        loop = asyncio.get_running_loop()
        pairs = zip(photos, pixels)
        waiting = [Waiting(run, *pair, loop.create_future()) for pair in pairs]
        self._queue.extend(waiting)
        self._arrived.set()
        try:
            return await asyncio.gather(*(one.result for one in waiting))
        finally:
            for one in waiting:
                one.result.cancel()
            self._queue = deque(one for one in self._queue if not one.result.done())

    def _check_room(self, pixels: Sequence[float]) -> None:
        here = [one.pixels for one in (*self._batch, *self._queue)]
        count, cost = len(here) + len(pixels), sum(here) + sum(pixels)
        config = self._config
        if here and (count > config.queue or cost > config.max_waiting_pixels):
            raise Full

    async def work(self) -> None:
        """Runs batches until it is cancelled."""
        while True:
            await self._collect()
            batch = [one for one in self._batch if not one.result.done()]
            results = await self._caption(batch) if batch else []
            self._batch = []
            for one, result in zip(batch, results):
                settle(one.result, result)

    async def _collect(self) -> None:
        """Moves photos from the queue to the batch."""
        await self._arrival(None)
        loop = asyncio.get_running_loop()
        until, pixels = loop.time() + self._config.delay, 0
        while len(self._batch) < self._config.batch:
            if not await self._arrival(until - loop.time()):
                break
            one = self._queue[0]
            pixels += one.pixels
            if self._batch and not self._fits(one, pixels):
                break
            self._batch.append(self._queue.popleft())

    def _fits(self, one: Waiting, pixels: float) -> bool:
        return one.run == self._batch[0].run and pixels <= self._config.max_pixels

    async def _arrival(self, seconds: float | None) -> bool:
        """Whether a photo waits, or comes in that time."""
        if not self._queue and (seconds is None or seconds > 0):
            self._arrived.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), seconds)
        return bool(self._queue)

    async def _caption(self, batch: list[Waiting]) -> list:
        loop = asyncio.get_running_loop()
        self._metrics.batch.observe(len(batch))
        try:
            with self._metrics.model.time():
                photos = [one.photo for one in batch]
                return await loop.run_in_executor(self._worker, batch[0].run, photos)
        except Exception as error:
            return [error] * len(batch)


def settle(future: asyncio.Future, result: Any) -> None:
    if future.done():  # its client has gone, or its time is up
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
