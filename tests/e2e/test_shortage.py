# SPDX-License-Identifier: BSD-2-Clause
"""T13: a worker gets no memory, at the first allocation of a session, the second, and so on through all of it. The
session that is hit gets a failure reply or an end, and its one record; the worker lives, loses nothing, and serves the next."""

import collections
import contextlib

import pytest

import sockgate
from conftest import open_folder
from scenes import ENDED, SERVED, SESSIONS, Scene, login, outcome
from shortage import FOR_EVER, Shortage

pytestmark = pytest.mark.skipif(sockgate.SANITIZED, reason='a sanitizer has an allocator of its own')

# More than any session needs: the sweep ends where nothing fails any more.
LONGEST = 400


@pytest.fixture(name='scene', scope='module')
def make_scene(tmp_path_factory):
    with Shortage() as shortage, Scene(open_folder(tmp_path_factory.mktemp('shortage')), shortage.env) as scene:
        scene.shortage = shortage
        yield scene


def kept(shortage):
    """How many blocks the process holds more than when it was first looked at, once what it did is over."""
    with contextlib.suppress(sockgate.Failed):
        sockgate.wait_until(lambda: shortage.live <= 0, 0.2)
    return shortage.live


def hit(scene, who, act, number, failing=1):
    """That allocation of a process fails: what became of what it had to do, and of itself."""
    pid = who(scene.gw)
    with scene.shortage.at(pid, number, failing):
        end = act(scene)
    assert who(scene.gw) == pid, f'allocation {number}: the process has ended'
    return end


def sweep(scene, who, act, failing=1, start=1):
    """One allocation after the other, until none is left. What the first time stays may be used again; what stays each time
    is lost."""
    shortage, seen = scene.shortage, collections.Counter()
    assert act(scene) == act(scene) == SERVED
    shortage.watch(who(scene.gw))
    for number in range(start, LONGEST):
        end = hit(scene, who, act, number, failing)
        seen[end] += 1
        if not shortage.failed:
            break
        assert act(scene) == SERVED, f'what came after allocation {number}'
        if kept(shortage) > 0:
            shortage.watch(who(scene.gw))
            hit(scene, who, act, number, failing)
            assert kept(shortage) <= 0, f'allocation {number}: {shortage.live} blocks are lost'
    assert end == SERVED and number > start
    print(f'{number - start} allocations failed, {dict(seen)}')


def worker(gw):
    return gw.workers()[0]


@pytest.mark.parametrize('session', SESSIONS)
def test_a_session(scene, session, request):  # pylint: disable=redefined-outer-name
    """T13: each allocation of a session fails once."""
    request.node.gateways = [scene.gw]
    sweep(scene, worker, lambda scene: outcome(scene, session))


@pytest.mark.drill
@pytest.mark.parametrize('session', SESSIONS)
def test_nothing_more(scene, session, request):  # pylint: disable=redefined-outer-name
    """T13: from some allocation of a session on there is no memory at all, until it has ended."""
    request.node.gateways = [scene.gw]
    # Without the first one nobody is accepted, and the client would wait.
    sweep(scene, worker, lambda scene: outcome(scene, session), FOR_EVER, 2)


# ---- whoever is no worker

def reload(scene):
    """Everything is made anew, and the old ends."""
    done = 'reload done' in scene.gw.reload()
    scene.gw.wait(lambda: len(scene.gw.generations()) == 1, 'the end of a generation')
    return SERVED if done else ENDED


def change(scene):
    """A set is read again."""
    seen = len(scene.gw.lines())
    scene.write_set()
    line = scene.gw.wait_log(r'.*(has changed: |stays in force)', after=seen)[0]
    return SERVED if 'has changed' in line else ENDED


def only(pids):
    pid, = pids
    return pid


@pytest.mark.parametrize('who, act', [
    pytest.param(lambda gw: gw.pid, reload, id='master'),
    pytest.param(lambda gw: gw.generation_pid, change, id='generation', marks=pytest.mark.drill),
    pytest.param(lambda gw: only(gw.helpers('pw')), lambda scene: outcome(scene, login), id='helper')])
def test_others(scene, who, act, request):  # pylint: disable=redefined-outer-name
    """T13: the same for a process that serves the workers. It lives, and nothing that was there before is lost."""
    request.node.gateways = [scene.gw]
    sweep(scene, who, act)
