"""Histories made by hand, with what the checker must say of them."""

from linearize import NotLinearizable, Operation, Value, check

A, B, C = (Value(name, f"etag-{name}", f"said-{name}", "none") for name in "abc")
TAGGED = Value("", "", "", "t1")
HISTORIES = {}


def history(explained):
    def register(function):
        HISTORIES[function.__name__] = (explained, function())
        return function
    return register


def put(value, begun, ended, outcome="ok", condition=None):
    return Operation("put", begun, ended, outcome, value, condition=condition)


def unknown(value, begun, condition=None):
    return Operation("put", begun, float("inf"), None, value, condition=condition)


def get(value, begun, ended, tags=None):
    if value is None:
        return Operation("read", begun, ended, "absent")
    saw = {"content": value.content, "etag": value.etag, "said": value.said,
           "tags": tags or value.tags}
    return Operation("read", begun, ended, "there", saw=saw)


def mixed(content, said, begun, ended):
    return Operation("read", begun, ended, "there", saw={"content": content.content,
                                                         "said": said.said})


def delete(begun, ended, outcome="ok", condition=None):
    return Operation("delete", begun, ended, outcome, condition=condition)


def tag(begun, ended, outcome="ok"):
    return Operation("tag", begun, ended, outcome, TAGGED)


def complete(value, begun, ended, outcome="ok", condition=None, upload="u1"):
    return Operation("complete", begun, ended, outcome, value, condition=condition, upload=upload)


def abort(begun, ended, outcome="ok"):
    return Operation("abort", begun, ended, outcome, upload="u1")


@history(True)
def one_after_another():
    return [[put(A, 0, 1), get(A, 2, 3), put(B, 4, 5), get(B, 6, 7), delete(8, 9),
             get(None, 10, 11)]]


@history(False)
def an_old_value_is_read():
    return [[put(A, 0, 1), put(B, 2, 3), get(A, 4, 5)]]


@history(True)
def two_reads_during_a_write_see_old_then_new():
    return [[put(A, 0, 1), put(B, 2, 9), get(A, 3, 4), get(B, 5, 6)]]


@history(False)
def two_reads_during_a_write_see_new_then_old():
    return [[put(A, 0, 1), put(B, 2, 9), get(B, 3, 4), get(A, 5, 6)]]


@history(False)
def bytes_of_one_version_with_the_type_of_another():
    return [[put(A, 0, 1), put(B, 0, 1), mixed(A, B, 2, 3)]]


@history(True)
def three_writes_at_once_and_readers():
    return [[put(A, 0, 9), put(B, 0, 9), put(C, 0, 9), get(B, 1, 2), get(A, 3, 4), get(C, 5, 6)]]


@history(False)
def three_writes_at_once_and_a_value_twice():
    return [[put(A, 0, 9), put(B, 0, 9), put(C, 0, 9), get(B, 1, 2), get(A, 3, 4), get(B, 5, 6)]]


@history(True)
def an_unknown_write_takes_effect_late():
    return [[put(A, 0, 1), unknown(B, 2), get(A, 3, 4), get(B, 5, 6)]]


@history(True)
def an_unknown_write_never_takes_effect():
    return [[put(A, 0, 1), unknown(B, 2), get(A, 3, 4)], [get(A, 5, 6)]]


@history(False)
def an_unknown_write_takes_effect_twice():
    return [[unknown(B, 0), get(B, 1, 2), put(A, 3, 4), get(B, 5, 6)]]


@history(False)
def an_unknown_write_takes_effect_before_it_began():
    return [[put(A, 0, 1), get(B, 2, 3), unknown(B, 4)]]


@history(False)
def an_unknown_write_takes_effect_after_the_next_start():
    return [[put(A, 0, 1), unknown(B, 2)], [get(A, 3, 4), get(B, 5, 6)]]


@history(True)
def what_is_unknown_at_the_cut_stays_open_until_it_is_read():
    return [[put(A, 0, 1), unknown(B, 2), unknown(C, 2)], [], [get(C, 5, 6)]]


@history(False)
def what_was_answered_is_lost_over_a_kill():
    return [[put(A, 0, 1), put(B, 2, 3)], [get(A, 4, 5)]]


@history(True)
def one_of_two_conditional_writes_succeeds():
    return [[put(A, 0, 5, condition="absent"),
             put(B, 0, 5, "PreconditionFailed", condition="absent"), get(A, 6, 7)]]


@history(False)
def two_conditional_writes_succeed():
    return [[put(A, 0, 5, condition="absent"), put(B, 0, 5, condition="absent")]]


@history(False)
def a_refused_write_is_there():
    return [[put(A, 0, 1), put(B, 2, 3, "PreconditionFailed", condition="absent"), get(B, 4, 5)]]


@history(True)
def compare_and_set():
    return [[put(A, 0, 1), put(B, 2, 3, condition="etag-a"),
             put(C, 4, 5, "PreconditionFailed", condition="etag-a"), get(B, 6, 7),
             delete(8, 9, condition="etag-b"), put(C, 10, 11, "NoSuchKey", condition="etag-b")]]


@history(False)
def compare_and_set_with_a_stale_etag_succeeds():
    return [[put(A, 0, 1), put(B, 2, 3), put(C, 4, 5, condition="etag-a")]]


@history(True)
def tags_go_with_the_value():
    return [[put(A, 0, 1), tag(2, 3), get(A, 4, 5, "t1"), put(A, 6, 7), get(A, 8, 9, "none"),
             delete(10, 11), tag(12, 13, "NoSuchKey")]]


@history(False)
def tags_outlive_an_overwrite():
    return [[put(A, 0, 1), tag(2, 3), put(B, 4, 5), get(B, 6, 7, "t1")]]


@history(False)
def tags_are_lost():
    return [[put(A, 0, 1), tag(2, 3), get(A, 4, 5, "none")]]


@history(True)
def a_completion_is_repeated():
    return [[complete(A, 0, 1), complete(A, 2, 3), put(B, 4, 5), complete(A, 6, 7, "NoSuchUpload"),
             get(B, 8, 9)]]


@history(False)
def a_completion_takes_effect_twice():
    return [[complete(A, 0, 1), put(B, 2, 3), complete(A, 4, 5), get(A, 6, 7)]]


@history(False)
def a_completion_takes_effect_twice_over_a_kill():
    return [[complete(A, 0, 1), put(B, 2, 3)], [get(B, 4, 5), complete(A, 6, 7), get(A, 8, 9)]]


@history(False)
def a_refused_completion_changes_the_tags():
    return [[put(A, 0, 1), tag(2, 3), complete(B, 4, 5, "PreconditionFailed", "absent"),
             get(A, 6, 7, "none")]]


@history(False)
def an_aborted_upload_is_completed():
    return [[abort(0, 1), complete(A, 2, 3)]]


@history(False)
def a_completed_upload_is_aborted():
    return [[complete(A, 0, 1), abort(2, 3)]]


def wrong():
    """Returns what the checker gets wrong: nothing, if it is right."""
    found = []
    for name, (explained, epochs) in HISTORIES.items():
        try:
            check(epochs)
            said = True
        except NotLinearizable:
            said = False
        if said != explained:
            found.append(f"{name}: {'explained' if said else 'not explained'}")
    return found


def slow(operations=200):
    """A history in which six clients write at once: the checker must be done with it in time."""
    every, last = [], None
    for round_ in range(operations // 8):
        begun = round_ * 10.0
        writes = [put(Value(f"{round_}.{at}", "", "", ""), begun, begun + 8) for at in range(6)]
        last = writes[round_ % 6].value
        every += writes
        every.append(get(last, begun + 9, begun + 9.5))
        every.append(unknown(Value(f"{round_}.x", "", "", ""), begun) if round_ % 10 == 0
                     else get(last, begun + 9, begun + 9.5))
    return [every]
