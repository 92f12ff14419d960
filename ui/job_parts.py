"""Parts of a training job on screen that the live view and the history share."""

from collections.abc import Sequence
from datetime import timedelta

import streamlit as st

from core import workflows
from core.queries.training import JobCard, LossPoint, Spent, losses
from ui import format as fmt
from ui import hyper, loss_chart, money, words
from ui.components import attempt, job_badge, show, simulated_badge
from ui.i18n import mark, t, tn
from ui.state import app, flash

PURPOSES = {"train": mark("Training"), "sweep": mark("Sweep"), "pilot": mark("Pilot")}
EVENTS_SHOWN = 6


def title(card: JobCard) -> str:
    """Return a job's line: state, number, provider, base model, dataset version."""
    job = card.job
    badge = f" {simulated_badge()}" if job.simulated else ""
    kind = f" :gray-badge[{t(PURPOSES[job.purpose])}]" if job.purpose in ("sweep", "pilot") else ""
    return f"{job_badge(job.status)}{badge}{kind} **{name(card)}**"


def name(card: JobCard) -> str:
    """Return a job's name in words."""
    job = card.job
    who = f"{job.provider} {job.base_model}".strip()
    return t(
        "Job {id} · {provider} · {target} {hash}",
        id=job.id,
        provider=fmt.plain(who),
        target=fmt.word("target", card.target),
        hash=fmt.short_hash(card.dataset_sha256),
    )


def seconds(value: float | None) -> str:
    """Return a duration in seconds in words."""
    return fmt.duration(None if value is None else timedelta(seconds=value))


def cost(spent: Spent) -> str:
    """Return what the ledger says of a job, for a sentence; "" where it says nothing."""
    if spent.reserved is None and spent.actual is None:
        return ""
    if spent.actual is not None:
        return t(
            "estimated {estimate}, billed {actual}",
            estimate=money.written(spent.estimate),
            actual=money.written(spent.actual),
        )
    if spent.held:
        return t(
            "estimated {estimate}, {held} held",
            estimate=money.written(spent.estimate),
            held=money.written(spent.held),
        )
    return t("estimated {estimate}, nothing billed, all given back", estimate=money.written(spent.estimate))


def curve(card: JobCard) -> None:
    """Draw the losses that a job reported, with their number; nothing where it reported none."""
    points = losses(card.events)
    if not points:
        return
    figure = loss_chart.losses(points, t("training part"), t("validation part"), t("step"), t("loss"))
    show(figure, f"loss_{card.job.id}", alt=_last_loss(points))
    st.caption(
        f"{_last_loss(points)} · {tn('{n} point', '{n} points', len(points))}",
        help=t(
            "As the trainer reported it at single steps: noisy, and no measure of accuracy on new articles."
        ),
    )


def last_losses(points: Sequence[LossPoint]) -> tuple[float | None, float | None]:
    """Return the last losses reported of the training and of the validation part; None where there is none."""
    train = next((point.train for point in reversed(points) if point.train is not None), None)
    validation = next((point.validation for point in reversed(points) if point.validation is not None), None)
    return train, validation


def _last_loss(points: Sequence[LossPoint]) -> str:
    train, validation = last_losses(points)
    return t(
        "last loss {train}, on the validation part {validation}",
        train=fmt.number(train, 3),
        validation=fmt.number(validation, 3),
    )


def events(card: JobCard, shown: int = EVENTS_SHOWN) -> None:
    """Draw the newest lines of a job's story."""
    lines = [f"{fmt.seoul(event.at):%H:%M:%S}  {words.told(event.message)}" for event in card.events[-shown:]]
    if lines:
        st.text("\n".join(lines))


def config(card: JobCard) -> list[tuple[str, str]]:
    """Return the frozen configuration of a job as label and value."""
    job, frozen = card.job, card.job.config
    rows = [
        (t("Dataset version"), f"{fmt.word('target', card.target)} {card.dataset_sha256}"),
        (t("Provider"), job.provider),
        (t("Base model"), job.base_model or fmt.DASH),
        (t("Settings"), hyper.listed(frozen.get("hyperparameters") or {})),
        (t("Seed"), str(frozen.get("seed", fmt.DASH))),
        (t("Purpose"), t(PURPOSES.get(job.purpose, job.purpose))),
        (t("Started by"), job.actor),
    ]
    if frozen.get("rows") is not None:
        rows.append((t("Rows"), fmt.number(frozen["rows"])))
    if frozen.get("retry_of") is not None:
        rows.append((t("Repeats"), t("job {id}", id=frozen["retry_of"])))
    quote = frozen.get("quote")
    if quote:
        rows.append((t("Estimate"), _range(quote)))
        rows += [(t("Price"), _price(price)) for price in quote["prices"]]
    if job.key:
        rows.append((t("Name at the vendor"), job.key))
    return rows


def _range(quote: dict) -> str:
    ends = (money.dollars(quote[end]) for end in ("likely", "low", "high"))
    return "{} ({}–{})".format(*ends)


def _price(price: dict) -> str:
    line = t("{usd} per million tokens, as of {day}", usd=f"${price['usd']}", day=price["as_of"])
    if not price["certain"]:
        line = t("{fact} (reported)", fact=line)
    return f"{line} · {price['source']}"


def unknown(card: JobCard) -> None:
    """Ask a person about a launch whose answer was lost; nothing is sent again without this."""
    job = card.job
    st.warning(
        t(
            "The paid request was sent and its answer was lost: {provider} may be training and billing, or may "
            "never have heard of it. The program looks for the job after 1, 5 and 30 minutes. If you know "
            "better, look at the vendor's console for a job named {name} and decide:",
            provider=fmt.plain(job.provider),
            name=f"`{(job.key or '')[:8]}…`",
        ),
        icon=":material/contact_support:",
    )
    with st.container(horizontal=True):
        st.button(
            t("It is not there: send it again"),
            icon=":material/send:",
            key=f"again_{job.id}",
            on_click=_resolve,
            args=(job.id, "send_again"),
            help=t("Allows the paid request once more, under the same name and the same reservation."),
        )
        st.button(
            t("Give it up"),
            icon=":material/cancel:",
            key=f"give_up_{job.id}",
            on_click=_resolve,
            args=(job.id, "give_up"),
            help=t(
                "Ends this job here and gives its reservation back. If it does exist at the vendor, cancel it there."
            ),
        )


def _resolve(job_id: int, answer: str) -> None:
    if attempt(lambda: [workflows.resolve_unknown(app(), job_id, answer)]) is not None:
        flash(t("Job {id}: done as you decided.", id=job_id))
