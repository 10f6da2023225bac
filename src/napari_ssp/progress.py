"""Progress of long work, as plain values that a generator yields."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, Generic, NoReturn, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_LOG = logging.getLogger(__name__)

#: Long work: yields its progress and returns its result. Closing it cancels the work.
Steps = Generator["Progress", None, Result]


@dataclass(frozen=True)
class Progress:
    """One step of long work.

    Attributes
    ----------
    stage : str
        What is being done, in words for the user ("windows", "tracking flows").
    done, total : int
        Units finished and units in all; ``total`` 0 means that the end is not known.
    preview : Any
        Something to look at meanwhile, or None.
    """

    stage: str
    done: int = 0
    total: int = 0
    preview: Any = None

    @property
    def fraction(self) -> float | None:
        """Share of the stage that is done, 0 to 1, or None when the end is not known."""
        return min(self.done / self.total, 1.0) if self.total else None


def run(steps: Steps[Result]) -> Result:
    """Drive a generator to its end and return its result, ignoring the progress."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: Result = stop.value
            return result


def count_through(
    steps: Steps[Result], index: int, count: int, noun: str = "plane"
) -> Steps[Result]:
    """Do the work of one of several planes, or volumes; what it returns is returned.

    Parameters
    ----------
    steps : generator
        The work; of its progress the stage "windows" is counted.
    index, count : int
        Which plane it is, from 0, and how many there are.
    noun : str
        What it is called where there are several.
    """

    def counted(step: Progress) -> Progress:
        if step.stage != "windows":
            return step
        done, total = index * step.total + step.done, count * step.total
        stage = "windows" if count == 1 else f"{noun} {index + 1} of {count}"
        return replace(step, stage=stage, done=done, total=total)

    return retell(steps, counted)


def tell_about(words: str, steps: Steps[Result]) -> Steps[Result]:
    """Do a part of long work; its stages are told with words in front, what it returns is returned.

    Parameters
    ----------
    words : str
        What the part is about.
    steps : generator
        The work.
    """
    return retell(steps, lambda step: replace(step, stage=f"{words}: {step.stage}"))


def retell(steps: Steps[Result], change: Callable[[Progress], Progress]) -> Steps[Result]:
    """Do work whose progress is told otherwise; what it returns is returned.

    Parameters
    ----------
    steps : generator
        The work.
    change : callable
        Makes of its progress what is told.
    """
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            yield change(step)


class Background(Generic[Item, Result]):
    """Long work on a thread of its own, so that who waits for it hears a cancel at once.

    The work goes on only when it is asked for its next step.

    Parameters
    ----------
    work : generator
        What to do; it is closed on its thread.
    stop : callable
        Called when the waiting ends early; ends the step that the work is in the midst of, where
        that is possible.
    """

    def __init__(
        self, work: Generator[Item, None, Result], stop: Callable[[], None] = lambda: None
    ) -> None:
        self._work, self._stop = work, stop
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._given: SimpleQueue[Callable[[], Item]] = SimpleQueue()
        # A daemon: a look-up of a name must not keep a closed program alive.
        self._thread = Thread(target=self._go_on, name="napari-ssp background", daemon=True)

    def steps(self, patience: float = 0.1) -> Generator[Item | None, None, Result]:
        """Yield what the work yields, and None every ``patience`` seconds in which nothing comes.

        Returns
        -------
        Result
            What the work returns; its errors are raised here.
        """
        self._thread.start()
        is_over = False
        try:
            while True:
                self._asked.put(True)
                while (take := self._wait(patience)) is None:
                    yield None
                try:
                    item = take()
                except StopIteration as stop:
                    is_over = True
                    result: Result = stop.value
                    return result
                except BaseException:
                    is_over = True
                    raise
                yield item
        finally:
            if not is_over:
                self._asked.put(False)
                self._stop()

    def _wait(self, seconds: float) -> Callable[[], Item] | None:
        try:
            return self._given.get(timeout=seconds)
        except Empty:
            return None

    def _go_on(self) -> None:
        """Do a step whenever one is asked for; on the thread."""
        while self._asked.get():
            try:
                item = next(self._work)
            except BaseException as error:  # belongs to who waits
                self._given.put(partial(_raise, error))
                return
            self._given.put(partial(_keep, item))
        self._work.close()


def _keep(item: Item) -> Item:
    return item


def _raise(error: BaseException) -> NoReturn:
    raise error


def in_background(work: Steps[Result], stop: Callable[[], None] = lambda: None) -> Steps[Result]:
    """Do long work on a thread of its own; while nothing comes its last progress is told again.

    Parameters
    ----------
    work : generator
        What to do.
    stop : callable
        Ends the step that the work is in the midst of, when this generator is closed.
    """
    last = Progress("starting")
    with closing(Background(work, stop).steps()) as steps:
        while True:
            try:
                last = next(steps) or last
            except StopIteration as end:
                result: Result = end.value
                return result
            yield last


class Ahead:
    """Preparations, done once on a thread of their own, before somebody needs them.

    They end between two steps when Python ends. An error is only noted: who needs what was to be
    prepared meets it again.

    Parameters
    ----------
    prepare : callable
        Makes an iterator that does a step, of a few seconds at most, before each item.
    """

    #: Seconds from what came first to the next step: a process that ends by then does so at once.
    GRACE = 3.0

    def __init__(self, prepare: Callable[[], Iterator[None]]) -> None:
        self._prepare = prepare
        self._lock = Lock()
        self._thread: Thread | None = None
        self._may_work, self._is_wanted = Event(), Event()
        self._may_work.set()
        self._is_stopped = False
        self._has_rested = False
        self._is_long = False

    @property
    def is_under_way(self) -> bool:
        """Whether a step was done, and others may have to follow."""
        return self._is_long and self._thread is not None and self._thread.is_alive()

    def begin(self) -> None:
        """Begin, unless that was done before; returns at once."""
        with self._lock:
            if self._thread is None:
                # A daemon, or Python would wait for its end before it asks it to stop.
                self._thread = Thread(target=self._work, name="napari-ssp ahead", daemon=True)
                atexit.register(self.stop)
                self._thread.start()

    def steps(self, stage: str, patience: float = 0.1) -> Steps[None]:
        """Begin, and wait for the end; says what is waited for as long as there is none."""
        self.begin()
        self._is_wanted.set()
        self.go_on()
        assert self._thread is not None
        while self._thread.is_alive():
            yield Progress(stage)
            self._thread.join(patience)

    def first_steps(self, stage: str, patience: float = 0.1) -> Steps[None]:
        """Begin, and wait until it is done or known to be long."""
        self.begin()
        assert self._thread is not None
        while self._thread.is_alive() and not self._is_long:
            yield Progress(stage)
            self._thread.join(patience)

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Let what is done meanwhile come first, but only once: what follows goes beside."""
        with self._lock:
            rests, self._has_rested = not self._has_rested, True
        if rests:
            self._may_work.clear()
        try:
            yield
        finally:
            if rests:
                self.go_on()

    def go_on(self) -> None:
        """End the rest."""
        self._may_work.set()

    def stop(self, timeout: float = 30.0) -> None:
        """Ask for an end between two steps, and wait: Python cannot end amid a library's work."""
        self._is_stopped = True
        self._is_wanted.set()
        self.go_on()
        if self._thread is not None:
            self._thread.join(timeout)

    def _work(self) -> None:
        try:
            for _ in self._prepare():
                self._is_long = True
                if not self._may_work.is_set():
                    self._may_work.wait()
                    self._is_wanted.wait(self.GRACE)
                if self._is_stopped:
                    return
        except Exception:
            _LOG.debug("A preparation failed", exc_info=True)
