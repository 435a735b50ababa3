"""Batches of photos from many requests."""

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
    """The queue has no room for the photos."""


Run = Callable[[Sequence[bytes]], list]  # photos -> one result per photo


@dataclass(eq=False)
class Waiting:
    """A queued photo with the function to run on it and the future of its result."""

    run: Run
    photo: bytes
    pixels: float
    result: asyncio.Future


class Batcher:
    """Runs a model on waiting photos, one batch at a time, in order of arrival.

    A batch is complete at `config.batch` photos or `config.max_pixels` pixels, when the
    next photo needs a different `run`, or when its first photo has waited
    `config.delay` seconds. Photos of cancelled requests are skipped.

    At most `config.queue` photos with `config.max_waiting_pixels` pixels wait or run,
    so that the last of them is done in time. A running batch counts until it ends,
    even if its clients disconnect.

    Args:
        worker: Executor that runs the model.
        config: Limits of the server.
        metrics: Counts batches and their times.
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
        """Returns a result for each photo, in order.

        Args:
            run: The function to run on the photos.
            photos: The photos.
            pixels: Pixels that each costs to decode.

        Raises:
            Full: The queue has no room for them.
        """
        self._check_room(pixels)
        loop = asyncio.get_running_loop()
        pairs = zip(photos, pixels)
        waiting = [Waiting(run, *pair, loop.create_future()) for pair in pairs]
        self._queue.extend(waiting)
        self._arrived.set()
        try:
            return await asyncio.gather(*(photo.result for photo in waiting))
        finally:
            for photo in waiting:
                photo.result.cancel()
            self._queue = deque(
                photo for photo in self._queue if not photo.result.done()
            )

    def _check_room(self, pixels: Sequence[float]) -> None:
        held = [photo.pixels for photo in (*self._batch, *self._queue)]
        count, cost = len(held) + len(pixels), sum(held) + sum(pixels)
        config = self._config
        if held and (count > config.queue or cost > config.max_waiting_pixels):
            raise Full

    async def work(self) -> None:
        """Runs batches until it is cancelled."""
        while True:
            await self._collect()
            batch = [photo for photo in self._batch if not photo.result.done()]
            results = await self._caption(batch) if batch else []
            self._batch = []
            for photo, result in zip(batch, results):
                set_result(photo.result, result)

    async def _collect(self) -> None:
        """Moves photos from the queue to the batch."""
        await self._arrival(None)
        loop = asyncio.get_running_loop()
        until, pixels = loop.time() + self._config.delay, 0.0
        while len(self._batch) < self._config.batch:
            if not await self._arrival(until - loop.time()):
                break
            photo = self._queue[0]
            pixels += photo.pixels
            if self._batch and not self._fits(photo, pixels):
                break
            self._batch.append(self._queue.popleft())

    def _fits(self, photo: Waiting, pixels: float) -> bool:
        return photo.run == self._batch[0].run and pixels <= self._config.max_pixels

    async def _arrival(self, seconds: float | None) -> bool:
        """Returns whether a photo waits or arrives within a number of seconds."""
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
                photos = [waiting.photo for waiting in batch]
                return await loop.run_in_executor(self._worker, batch[0].run, photos)
        except Exception as error:
            return [error] * len(batch)


def set_result(future: asyncio.Future, result: Any) -> None:
    if future.done():  # the client disconnected, or its time is up
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
