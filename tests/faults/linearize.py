"""Decides whether a recorded history of one key can be explained by some order of its operations.

The object of the test is a register: what a key holds, with everything that a client sees of it.
An operation takes effect at one moment between its invocation and its answer. One whose outcome
is unknown (no answer, or a 5xx) takes effect at one moment after its invocation, or never.

The search is Lowe's just-in-time linearization ("Testing for linearizability", 2017), which
explores what Wing and Gong's does: events are taken in the order of time, and for each answer every
order of the pending operations that explains it. Configurations (what the key holds, and which
pending operations have taken effect) are kept in a set, so that none is explored twice. It is
exact: an order is found if there is one.

A kill cuts the history: an operation that was in flight cannot take effect after the first answer
of the next start, since nothing of the killed process remains but its files. So what is unknown is
decided at the cut, and the set of states that are possible there begins the next epoch. A
multipart upload takes effect at most once, in all epochs together.
"""

import dataclasses
import math

ABSENT = None


@dataclasses.dataclass(frozen=True)
class Value:
    """What a key holds. Each part is an identifier that one write alone has brought."""
    content: str
    etag: str
    # What the writer said of it: content type, metadata, and whether these spill.
    said: str
    tags: str


@dataclasses.dataclass(frozen=True)
class State:
    """A key's value, and which of its uploads have ended: pairs of ID and `done` or `aborted`."""
    value: Value | None = ABSENT
    ended: frozenset = frozenset()


@dataclasses.dataclass(eq=False)
class Operation:
    """One operation on one key. `outcome` is what its answer said; None means unknown."""
    name: str
    begun: float
    ended: float
    outcome: str | None
    # What a write brings, what a read saw: only the fields that were seen.
    value: Value | None = None
    saw: dict | None = None
    condition: str | None = None
    upload: str | None = None

    def __str__(self):
        brings = f" {self.value}" if self.value else ""
        saw = f" saw {self.saw}" if self.saw else ""
        when = f" if {self.condition}" if self.condition else ""
        upload = f" upload {self.upload[:6]}" if self.upload else ""
        until = "…" if math.isinf(self.ended) else f"{self.ended:.4f}"
        return f"{self.begun:.4f}–{until} {self.name}{when}{upload}: " \
               f"{self.outcome or 'unknown'}{brings}{saw}"


def holds(condition, value):
    """Returns what a write's condition decides: `ok`, or the code of the refusal."""
    if condition is None:
        return "ok"
    if condition == "absent":
        return "ok" if value is ABSENT else "PreconditionFailed"
    if value is ABSENT:
        return "NoSuchKey"
    return "ok" if condition in ("*", value.etag) else "PreconditionFailed"


def step(state, operation):
    """Returns the pairs of outcome and next state that an operation may have in a state."""
    value, name = state.value, operation.name
    if name == "read":
        return [("absent" if value is ABSENT else "there", state)]
    if name in ("put", "delete"):
        decided = holds(operation.condition, value)
        return [(decided, dataclasses.replace(state, value=operation.value)
                 if decided == "ok" else state)]
    if name == "tag":
        if value is ABSENT:
            return [("NoSuchKey", state)]
        tagged = dataclasses.replace(value, tags=operation.value.tags)
        return [("ok", dataclasses.replace(state, value=tagged))]
    if name == "abort":
        if any(upload == operation.upload for upload, _ in state.ended):
            return [("NoSuchUpload", state)]
        return [("ok", ended(state, operation, "aborted"))]
    if name == "complete":
        if (operation.upload, "aborted") in state.ended:
            return [("NoSuchUpload", state)]
        if (operation.upload, "done") in state.ended:
            # Asked again, it has no effect. Its answer is that of the first time, or a refusal:
            # that depends on what the key holds by now.
            return [(outcome, state) for outcome in ("ok", "NoSuchUpload", "PreconditionFailed")]
        decided = holds(operation.condition, value)
        if decided != "ok":
            return [(decided, state)]
        done = dataclasses.replace(state, value=operation.value)
        return [("ok", ended(done, operation, "done"))]
    raise ValueError(f"no such operation: {name}")


def ended(state, operation, how):
    return dataclasses.replace(state, ended=state.ended | {(operation.upload, how)})


def agrees(operation, outcome, state):
    """Whether an answer is one that the operation gives in this state."""
    if operation.outcome is None:
        return True
    if operation.outcome != outcome:
        return False
    if operation.saw and state.value is not ABSENT:
        return all(getattr(state.value, field) == seen for field, seen in operation.saw.items())
    return True


class NotLinearizable(Exception):
    """No order of the operations explains an answer."""

    def __init__(self, operation, states, recent):
        self.operation, self.states, self.recent = operation, states, recent
        lines = [f"no order explains: {operation}", "  the key may have held:"]
        lines += [f"    {state.value}" for state in states]
        lines += ["  and the operations before it, the last one last:"]
        lines += [f"    {other}" for other in recent]
        super().__init__("\n".join(lines))


class Search:
    """The configurations of one epoch: pairs of a state's number and a mask of the pending
    operations that have taken effect."""

    def __init__(self, states, operations):
        self.operations, self.states, self.numbers, self.steps = operations, [], {}, {}
        self.configurations = {(self.number(state), 0) for state in states}
        self.pending = []
        self.optional = sum(1 << at for at, operation in enumerate(operations)
                            if operation.outcome is None)

    def number(self, state):
        if state not in self.numbers:
            self.numbers[state] = len(self.states)
            self.states.append(state)
        return self.numbers[state]

    def next(self, number, at):
        """Returns the states in which an operation leaves one, its answer being what it was."""
        if (number, at) not in self.steps:
            state, operation = self.states[number], self.operations[at]
            self.steps[number, at] = {
                self.number(after) for outcome, after in step(state, operation)
                if agrees(operation, outcome, state)}
        return self.steps[number, at]

    def explored(self, wanted):
        """Returns the configurations in which `wanted` has taken effect; all if it is None."""
        bit = None if wanted is None else 1 << wanted
        found, seen, todo = set(), set(self.configurations), list(self.configurations)
        while todo:
            number, taken = todo.pop()
            if bit is None:
                found.add((number, taken))
            elif taken & bit:
                found.add((number, taken & ~bit))
                continue
            for at in self.pending:
                if taken >> at & 1:
                    continue
                for after in self.next(number, at):
                    reached = (after, taken | 1 << at)
                    if reached not in seen:
                        seen.add(reached)
                        todo.append(reached)
        return found

    def answered(self, at):
        """Keeps the configurations that explain an answer."""
        found = self.explored(at)
        if not found:
            raise self.problem(at)
        self.pending.remove(at)
        self.configurations = self.least(found)

    def problem(self, at):
        """Says which answer is not explained, and what came before it."""
        operation = self.operations[at]
        possible = {number for number, _ in self.configurations}
        recent = [other for other in self.operations if other.ended < operation.begun]
        recent = sorted(recent, key=lambda other: other.ended)[-12:]
        pending = [self.operations[other] for other in self.pending if other != at]
        states = [self.states[number] for number in possible]
        return NotLinearizable(operation, states, recent + pending)

    def least(self, found):
        """Leaves out a configuration if another differs in this alone: of the operations whose
        outcome is unknown fewer have taken effect. They still may, so it can all that this can."""
        groups = {}
        for number, taken in found:
            key = (number, taken & ~self.optional)
            groups.setdefault(key, []).append(taken & self.optional)
        kept = set()
        for (number, taken), options in groups.items():
            least = []
            for option in sorted(options, key=int.bit_count):
                if not any(option & other == other for other in least):
                    least.append(option)
            kept |= {(number, taken | option) for option in least}
        return kept


def epoch(states, operations):
    """Returns the states that are possible after the operations of one epoch.

    Raises NotLinearizable.
    """
    search, events = Search(states, operations), []
    for at, operation in enumerate(operations):
        events.append((operation.begun, 0, at))
        if operation.outcome is not None:
            events.append((operation.ended, 1, at))
    for _, ends, at in sorted(events):
        if ends:
            search.answered(at)
        else:
            search.pending.append(at)
    return {search.states[number] for number, _ in search.explored(None)}


def check(epochs, states=frozenset([State()])):
    """Checks the epochs of one key one after another; returns the states that are possible."""
    for operations in epochs:
        states = epoch(states, operations)
    return states
