"""The process that has models answer: takes due replies, keeps model servers warm, writes.

Started by ``python manage.py talk``, beside the workers, and as often as one likes: replies are
taken by conditional updates. It holds no state that matters; killed, what it wrote is begun anew
by the next one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.db import close_old_connections, connection
from django.db.models import Q, QuerySet
from django.db.utils import InterfaceError, OperationalError
from django.utils import timezone

from labeling import conversations, replies
from labeling.models import Completion, Reply
from labeling.replies import Lost
from models_runtime import endpoints, registry, serving
from models_runtime.models import Checkpoint
from models_runtime.records import Sampler
from models_runtime.serving import Address, Unanswered, Warm

WATCHED_EVERY = 0.2  # seconds between two pieces of a text that somebody watches being written
UNWATCHED_EVERY = 2.0  # of a pair, which is shown when both are whole
LOOK_EVERY, REST_EVERY = 0.15, 1.0  # while anybody talks, and while nobody does
WARM_FOR = timedelta(minutes=30)  # after the last message of a talk
MOST_AT_ONCE = 100  # replies that are begun in one round
Model = tuple[int | None, int | None]  # (checkpoint, endpoint), one of which is None
logger = logging.getLogger(__name__)


class Talker:
    """``most``: model servers at a time; ``threads``: replies written at a time; ``silence``:
    seconds without a word after which a model is given up."""

    def __init__(self, *, most: int = 2, threads: int = 16, silence: float = 60.0) -> None:
        self.warm = Warm(_folder_of, most)
        self.silence = silence
        self.room = threading.Semaphore(threads)
        self.most_of_one = max(1, threads * 3 // 4)  # a slow model leaves room for the others
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="reply")
        self.stopping = threading.Event()
        self._writing: dict[UUID, Model] = {}  # by token, by several threads
        self._renewed = 0.0

    def run(self) -> None:
        """Until ``stop``; then what is being written is put back, to be begun anew."""
        try:
            while not self.stopping.is_set():
                self.stopping.wait(self._look_calmly())
        finally:
            self.pool.shutdown(wait=True, cancel_futures=True)
            self.warm.close()

    def stop(self) -> None:
        self.stopping.set()

    def _look_calmly(self) -> float:
        """look(), and how long to rest. A database that is away for a while comes back, and
        whatever else went wrong in one round, the next one goes on."""
        close_old_connections()
        try:
            return LOOK_EVERY if self.look() else REST_EVERY
        except (OperationalError, InterfaceError) as error:
            logger.warning("The database does not answer (%s); trying again.", error)
        except Exception:  # a fault in one talk must not silence all the others
            logger.exception("A round of looking for replies broke off")
        return REST_EVERY

    def look(self) -> bool:
        """One round: look after the servers, begin the replies that can be begun. Whether
        anybody talks."""
        due = replies.due()
        awaited = list(due.values_list("completion__checkpoint", flat=True))
        present = conversations.speaking_now(timezone.now() - WARM_FOR)
        speakers = [one for talk in present.only("speakers")[:100] for one in talk.speakers]
        needed = awaited + [one.get("checkpoint") for one in speakers]
        writing = list(self._writing.values())
        self.warm.tend(_distinct(needed), set(_distinct(pk for pk, _ in writing)))
        self._renew()
        self._give_up_broken()
        for reply in self._that_can_begin(due, writing)[:MOST_AT_ONCE]:
            self._begin_calmly(reply)
        return bool(speakers or awaited or self._writing)

    def _give_up_broken(self) -> None:
        """Tell everybody who waits for a model that cannot be started; who asks again after that
        has it tried again."""
        for checkpoint, sentence in self.warm.broken().items():
            waiting = list(replies.due().filter(completion__checkpoint=checkpoint))
            for reply in waiting:
                if replies.take(reply):
                    replies.give_up(reply)
            if waiting:
                logger.warning("The model cannot be started: %s", sentence)
                self.warm.forgive(checkpoint)

    def _that_can_begin(self, due: QuerySet[Reply], writing: list[Model]) -> QuerySet[Reply]:
        """Those whose model answers, and does not have its share of the hands already."""
        full = [model for model, n in Counter(writing).items() if n >= self.most_of_one]
        answers = Q(completion__checkpoint=None) | Q(completion__checkpoint__in=self.warm.ready())
        return (
            due.filter(answers)
            .exclude(completion__checkpoint__in=_distinct(pk for pk, _ in full))
            .exclude(completion__endpoint__in=_distinct(pk for _, pk in full))
        )

    def _renew(self) -> None:
        now = time.monotonic()
        if self._writing and now - self._renewed > replies.LEASE.total_seconds() / 4:
            replies.renew(list(self._writing))
            self._renewed = now

    def _begin_calmly(self, reply: Reply) -> None:
        """One reply that cannot be begun keeps no other from it."""
        try:
            self._begin(reply)
        except (OperationalError, InterfaceError):
            raise
        except Unanswered as error:
            logger.warning("%s", error)
            if replies.take(reply):
                replies.give_up(reply)
        except Exception:  # it stays due, and is tried again in the next round
            logger.exception("A reply could not be begun")

    def _begin(self, reply: Reply) -> None:
        address = self._address(reply.completion)
        model = (reply.completion.checkpoint_id, reply.completion.endpoint_id)
        has_its_share = list(self._writing.values()).count(model) >= self.most_of_one
        if address is None or has_its_share or not self.room.acquire(blocking=False):
            return  # its server fell, or every hand is full: the next round
        taken = False
        try:
            taken = replies.take(reply)
        finally:
            if not taken:
                self.room.release()
        if taken and reply.token is not None:
            self._writing[reply.token] = model
            self.pool.submit(self._write, reply, address)

    def _address(self, completion: Completion) -> Address | None:
        if completion.endpoint is not None:
            return endpoints.address_of(completion.endpoint)
        assert completion.checkpoint_id is not None  # turns.say names one of the two
        return self.warm.address(completion.checkpoint_id)

    def _write(self, reply: Reply, address: Address) -> None:
        token = reply.token
        try:
            self._answer(reply, address)
        except Lost:
            pass  # the talk has ended, or somebody took it over
        except Unanswered as error:
            logger.warning("A reply broke off: %s", error)
            replies.release(reply)
        except Exception:  # nobody waits for this thread: it is begun anew
            logger.exception("A reply could not be written")
            replies.release(reply)
        finally:
            self._writing.pop(token, None)  # type: ignore[arg-type]  # taken: it has a token
            self.room.release()
            connection.close()

    def _answer(self, reply: Reply, address: Address) -> None:
        """Write the reply to its end, anew as often as it must differ from its neighbour."""
        while True:
            last = self._stream(reply, address)
            if last is None:
                return replies.release(reply)
            if replies.settle(reply, last):
                return

    def _stream(self, reply: Reply, address: Address) -> serving.Piece | None:
        """The whole answer, having written it as it grew; None when this process is to end."""
        completion = reply.completion
        alone = reply.position == 0 and not reply.turn.replies.exclude(pk=reply.pk).exists()
        every = WATCHED_EVERY if alone else UNWATCHED_EVERY
        written = 0.0
        pieces = serving.stream(
            address, completion.prompt.messages, _sampler(completion), silence=self.silence
        )
        for piece in pieces:
            if self.stopping.is_set():
                return None
            if piece.finish_reason is not None:
                return piece
            if time.monotonic() - written >= every:
                replies.write(reply, piece.text)
                written = time.monotonic()
        raise Unanswered("The model said nothing.")


def _folder_of(checkpoint: int) -> Path:
    """On a thread of its own, whose connection nobody else would close."""
    try:
        return registry.local_path(Checkpoint.objects.get(pk=checkpoint))
    finally:
        connection.close()


def _sampler(completion: Completion) -> Sampler:
    return Sampler(
        checkpoint="",
        k=1,
        temperature=1.0 if completion.temperature is None else completion.temperature,
        top_p=1.0 if completion.top_p is None else completion.top_p,
        max_new_tokens=completion.max_new_tokens or 64,
        seed=completion.seed or 0,
        system_prompt=completion.system_prompt,
    )


def _distinct(checkpoints: Iterable[int | None]) -> list[int]:
    return [pk for pk in dict.fromkeys(checkpoints) if pk is not None]
