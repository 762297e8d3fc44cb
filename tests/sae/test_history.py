"""What a history of a training says of itself when it is printed."""

import regularizers as rz


def happened(*steps):
    history = rz.sae.History(steps=1000)
    for step in steps:
        history.add(
            step,
            loss=1 / step,
            active=4.25,
            explained=0.75,
            strength=0.01,
            idle=3,
            revived=0,
        )
    return history


def test_a_history_is_printed_in_one_line():
    assert repr(happened()) == "<History of 1000 steps, no points>"
    assert repr(happened(5)) == (
        "<History of 1000 steps, 1 point; at step 5: loss 0.2, active 4.25, explained 0.75>"
    )
    assert repr(happened(5, 10)) == (
        "<History of 1000 steps, 2 points; at step 10: loss 0.1, active 4.25, explained 0.75>"
    )


def test_a_history_is_made_again_from_its_state():
    history = happened(5, 10)
    assert rz.sae.History.from_state_dict(history.state_dict()) == history
