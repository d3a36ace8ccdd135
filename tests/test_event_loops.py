import asyncio
import threading
import time

import pytest

from victor_memory._event_loops import Background, Turn, in_thread


def in_threads(*works):
    """Run each of *works* in an event loop of its own, at once; return what they return."""
    found = [None] * len(works)
    ready = threading.Barrier(len(works))

    def run(number):
        ready.wait()
        found[number] = asyncio.run(works[number]())

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return found


class TestTurn:
    def test_one_coroutine_of_all_loops_has_it(self):
        turn, inside, most = Turn(), 0, 0

        async def enter():
            nonlocal inside, most
            async with turn:
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.001)
                inside -= 1

        async def work():
            await asyncio.gather(*(enter() for _ in range(10)))

        in_threads(work, work, work)
        assert (inside, most) == (0, 1)

    async def test_who_is_cancelled_while_waiting_leaves_it_to_others(self):
        turn = Turn()
        await turn.__aenter__()
        waiting = [asyncio.create_task(turn.__aenter__()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await turn.__aexit__()
        await waiting[1]
        assert waiting[0].cancelled()

    def test_who_is_cancelled_while_another_loop_has_it_leaves_it_too(self):
        turn, held, given_up = Turn(), threading.Event(), threading.Event()

        async def hold():
            async with turn:
                held.set()
                await asyncio.to_thread(given_up.wait)

        async def give_up():
            await asyncio.to_thread(held.wait)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(turn.__aenter__(), 0.05)
            given_up.set()
            await asyncio.wait_for(turn.__aenter__(), 20)
            return "mine"

        assert in_threads(hold, give_up) == [None, "mine"]


class TestBackground:
    def test_what_ends_with_its_loop_is_waited_for_the_next_time(self):
        background, done = Background(), []

        async def work():
            await asyncio.sleep(0.01)
            done.append(True)

        asyncio.run(background.go_on(work))
        assert not done
        asyncio.run(background.go_on(work))
        assert done == [True]

    async def test_it_is_begun_once_and_goes_on_behind_the_call(self):
        background, begun, gate = Background(), [], asyncio.Event()

        async def work():
            begun.append(True)
            await gate.wait()

        for _ in range(3):
            await background.go_on(work)
            await asyncio.sleep(0)
        assert (len(begun), background.under_way) == (1, True)
        gate.set()
        await background.finish(work)
        assert (len(begun), background.under_way) == (1, False)

    async def test_what_was_stopped_was_not_cut_off(self):
        background, gate = Background(), asyncio.Event()
        await background.go_on(gate.wait)
        await background.stop()
        await background.go_on(gate.wait)  # does not wait
        assert background.under_way
        await background.stop()

    def test_another_loop_waits_for_the_end_of_what_is_under_way(self):
        background, began, done = Background(), threading.Event(), []

        async def work():
            began.set()
            await asyncio.sleep(0.05)
            done.append(True)

        async def first():
            await background.finish(work)

        async def second():
            await asyncio.to_thread(began.wait)
            await background.finish(work)
            return list(done)

        assert in_threads(first, second)[1] == [True]

    def test_another_loop_can_stop_it(self):
        background, began = Background(), threading.Event()

        async def work():
            began.set()
            await asyncio.sleep(60)

        async def first():
            await background.finish(work)

        async def second():
            await asyncio.to_thread(began.wait)
            await background.stop()

        in_threads(first, second)
        assert not background.under_way


async def test_a_thread_is_waited_for_when_its_caller_is_cancelled():
    done = []

    def work():
        time.sleep(0.05)
        done.append(True)

    task = asyncio.create_task(in_thread(work))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [True]
