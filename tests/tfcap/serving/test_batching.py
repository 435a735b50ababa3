"""Batches of photos, on an event loop of the test."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("starlette", reason="needs the extra: pip install 'tfcap[serve]'")

from tfcap.config.serving import ServingConfig
from tfcap.serving.batching import Batcher, Full
from tfcap.serving.metrics import Metrics


class Model:
    """Gives photos back, once the gate is open; notes its batches.

    Attributes:
        runs: once for every batch that has begun.
    """

    def __init__(self):
        self.batches, self.gate = [], threading.Event()
        self.runs = threading.Semaphore(0)

    def explain(self, photos):
        return [b"why " + photo for photo in self.run(photos)]

    def run(self, photos):
        self.runs.release()
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
            batcher = Batcher(worker, config, Metrics())
            working = asyncio.create_task(batcher.work())
            try:
                await asyncio.wait_for(scenario(batcher, model), 10)
            finally:
                model.gate.set()
                working.cancel()

    asyncio.run(main())
    return model


def submit(batcher, run, photo: bytes, pixels: int = 1):
    return asyncio.create_task(batcher.submit(run, [photo], [pixels]))


def test_photos_of_many_requests_share_batches():
    async def scenario(batcher, model):
        tasks = [submit(batcher, model.run, b"%d" % i) for i in range(10)]
        await asyncio.sleep(0.05)
        model.gate.set()
        assert await asyncio.gather(*tasks) == [[b"%d" % i] for i in range(10)]

    model = batched(scenario, batch=4, delay=0.02)
    assert [len(batch) for batch in model.batches] == [4, 4, 2]


def test_a_request_of_many_photos_is_cut_and_put_together_again():
    async def scenario(batcher, model):
        model.gate.set()
        photos = [b"%d" % i for i in range(5)]
        assert await batcher.submit(model.run, photos, [1] * 5) == photos

    assert [len(b) for b in batched(scenario, batch=2).batches] == [2, 2, 1]


def test_a_batch_holds_so_many_pixels():
    async def scenario(batcher, model):
        model.gate.set()
        costs = enumerate((60, 40, 1, 100))
        tasks = [submit(batcher, model.run, b"%d" % i, cost) for i, cost in costs]
        await asyncio.gather(*tasks)

    model = batched(scenario, max_pixels=100, delay=0.02)
    assert model.batches == [[b"0", b"1"], [b"2"], [b"3"]]


def test_a_full_queue_refuses_at_once_and_empties_again():
    async def scenario(batcher, model):
        waiting = [submit(batcher, model.run, b"x") for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Full):
            await batcher.submit(model.run, [b"y"], [1])
        model.gate.set()
        await asyncio.gather(*waiting)
        await asyncio.sleep(0)
        assert await batcher.submit(model.run, [b"y"], [1]) == [b"y"]

    batched(scenario, queue=3, batch=1)


def test_what_waits_is_so_many_pixels():
    async def scenario(batcher, model):
        waiting = [submit(batcher, model.run, b"x", 40) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Full):
            await batcher.submit(model.explain, [b"y", b"z"], [20, 1])
        fits = submit(batcher, model.explain, b"fits", 20)
        model.gate.set()
        assert await fits == [b"why fits"]
        await asyncio.gather(*waiting)
        assert await batcher.submit(model.run, [b"y"], [100]) == [b"y"]

    batched(scenario, max_waiting_pixels=100)


def test_captions_and_explanations_take_turns_as_they_came():
    async def scenario(batcher, model):
        runs = model.run, model.run, model.explain, model.run
        tasks = [submit(batcher, run, b"%d" % i) for i, run in enumerate(runs)]
        model.gate.set()
        found = await asyncio.gather(*tasks)
        assert found == [[b"0"], [b"1"], [b"why 2"], [b"3"]]

    assert batched(scenario).batches == [[b"0", b"1"], [b"2"], [b"3"]]


def test_a_photo_that_runs_counts_though_its_client_has_gone():
    async def scenario(batcher, model):
        running = submit(batcher, model.run, b"running", 60)
        await asyncio.to_thread(model.runs.acquire, timeout=10)
        queued = submit(batcher, model.run, b"queued", 40)
        await asyncio.sleep(0)
        for gone in (running, queued):
            gone.cancel()
            await asyncio.wait([gone])
        with pytest.raises(Full):
            await batcher.submit(model.run, [b"much"], [41])
        fits = submit(batcher, model.run, b"fits", 40)
        model.gate.set()
        assert await fits == [b"fits"]

    model = batched(scenario, max_waiting_pixels=100)
    assert model.batches == [[b"running"], [b"fits"]]


def test_who_has_gone_costs_no_run_of_the_model():
    async def scenario(batcher, model):
        first = submit(batcher, model.run, b"first")
        await asyncio.sleep(0.05)
        gone = submit(batcher, model.run, b"gone")
        await asyncio.sleep(0.05)
        gone.cancel()
        last = submit(batcher, model.run, b"last")
        model.gate.set()
        assert await first == [b"first"] and await last == [b"last"]

    model = batched(scenario, batch=1, delay=0)
    assert model.batches == [[b"first"], [b"last"]]


def test_a_bug_reaches_its_batch_and_no_other():
    async def scenario(batcher, model):
        model.gate.set()
        with pytest.raises(RuntimeError):
            await batcher.submit(model.run, [b"bug"], [1])
        assert await batcher.submit(model.run, [b"fine"], [1]) == [b"fine"]

    batched(scenario)
