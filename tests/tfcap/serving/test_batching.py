"""Batches of photos, on an event loop of the test."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("starlette", reason="needs the extra: pip install 'tfcap[serve]'")

from tfcap.config import ServingConfig
from tfcap.serving.batching import Batcher, Full
from tfcap.serving.metrics import Metrics


class Model:
    """Gives photos back, once the gate is open; notes its batches."""

    def __init__(self):
        self.batches, self.gate = [], threading.Event()

    def run(self, photos):
        assert self.gate.wait(10)
        self.batches.append(list(photos))
        if b"bug" in photos:
            raise RuntimeError("a bug")
        return list(photos)


def batched(scenario, **settings) -> Model:
    """Runs `scenario(batcher, model)` beside the batcher."""
    model = Model()

    async def main():
        with ThreadPoolExecutor(1) as worker:
            config = ServingConfig(**settings)
            batcher = Batcher(model.run, worker, config, Metrics())
            working = asyncio.create_task(batcher.work())
            try:
                await asyncio.wait_for(scenario(batcher, model), 10)
            finally:
                model.gate.set()
                working.cancel()

    asyncio.run(main())
    return model


def submit(batcher, photo: bytes, pixels: int = 1):
    return asyncio.create_task(batcher.submit([photo], [pixels]))


def test_photos_of_many_requests_share_batches():
    async def scenario(batcher, model):
        tasks = [submit(batcher, b"%d" % i) for i in range(10)]
        await asyncio.sleep(0.05)
        model.gate.set()
        assert await asyncio.gather(*tasks) == [[b"%d" % i] for i in range(10)]

    model = batched(scenario, batch=4, delay=0.02)
    assert [len(batch) for batch in model.batches] == [4, 4, 2]


def test_a_request_of_many_photos_is_cut_and_put_together_again():
    async def scenario(batcher, model):
        model.gate.set()
        photos = [b"%d" % i for i in range(5)]
        assert await batcher.submit(photos, [1] * 5) == photos

    assert [len(b) for b in batched(scenario, batch=2).batches] == [2, 2, 1]


def test_a_batch_holds_so_many_pixels():
    async def scenario(batcher, model):
        model.gate.set()
        tasks = [submit(batcher, b"%d" % i, p) for i, p in enumerate((60, 40, 1, 100))]
        await asyncio.gather(*tasks)

    model = batched(scenario, max_pixels=100, delay=0.02)
    assert model.batches == [[b"0", b"1"], [b"2"], [b"3"]]


def test_a_full_queue_refuses_at_once_and_empties_again():
    async def scenario(batcher, model):
        waiting = [submit(batcher, b"x") for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Full):
            await batcher.submit([b"y"], [1])
        model.gate.set()
        await asyncio.gather(*waiting)
        await asyncio.sleep(0)
        assert await batcher.submit([b"y"], [1]) == [b"y"]

    batched(scenario, queue=3, batch=1)


def test_who_has_gone_costs_no_run_of_the_model():
    async def scenario(batcher, model):
        first = submit(batcher, b"first")
        await asyncio.sleep(0.05)
        gone = submit(batcher, b"gone")
        await asyncio.sleep(0.05)
        gone.cancel()
        last = submit(batcher, b"last")
        model.gate.set()
        assert await first == [b"first"] and await last == [b"last"]

    model = batched(scenario, batch=1, delay=0)
    assert model.batches == [[b"first"], [b"last"]]


def test_a_bug_reaches_its_batch_and_no_other():
    async def scenario(batcher, model):
        model.gate.set()
        with pytest.raises(RuntimeError):
            await batcher.submit([b"bug"], [1])
        assert await batcher.submit([b"fine"], [1]) == [b"fine"]

    batched(scenario)
