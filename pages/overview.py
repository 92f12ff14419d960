"""Overview: where the plan stands this morning, and the three things to do about it."""

import streamlit as st

from core.queries import overview
from core.queries.progress import outcome_clock, progress
from ui import charts, score_charts, words
from ui import format as fmt
from ui.actions import actions
from ui.attention import attention
from ui.components import accuracy_metric, class_words, go_to, header, section, show, simulated_badge
from ui.costs import month_card
from ui.i18n import t, tn
from ui.jobs import live_jobs
from ui.state import Session, app, reading
from ui.welcome import welcome

TARGETS = ("sentiment", "direction")


def collected(session: Session, counters: dict) -> None:
    """Draw the bars toward 500 and 1,000 with arrival rate and ETA, and the balance of classes."""
    policy = app().policy
    section(
        t("Verified samples"),
        t(
            "Articles that passed every quality check and have a gold label: a human label for sentiment, the "
            "market's outcome for direction. One market day shares one market move, so its samples count "
            "for less than their number."
        ),
    )
    rows = [
        charts.Progress(
            fmt.word("target", target),
            counters[target]["verified"],
            words.effective_days(target, counters[target]["days"]),
        )
        for target in TARGETS
    ]
    show(
        charts.progress(rows, policy.goal, policy.ideal_goal),
        "progress",
        alt="; ".join(f"{row.label}: {row.n} / {policy.goal}" for row in rows),
    )
    for target in TARGETS:
        rate = overview.arrivals(session, target, now=app().now())
        st.caption(words.arrival(target, rate, policy.goal - counters[target]["verified"]))
    section(t("Balance of classes"), t("Gold labels of the verified samples, by target."))
    balances = [(fmt.word("target", target), counters[target]["by_label"]) for target in TARGETS]
    filled = [(label, counts) for label, counts in balances if sum(counts.values())]
    if filled:
        show(charts.class_shares(filled, class_words()), "balance", alt=words.balance(filled))
    else:
        go_to("samples", t("See why there is no sample yet"), key="why_none")


def champion(target: str, card: overview.ChampionCard | None) -> None:
    """Draw the champion of a target with its accuracy, or the button that leads to one."""
    section(
        t("Champion · {target}", target=fmt.word("target", target)),
        t("The model version that answers for this target, with its newest test score."),
    )
    if card is None:
        st.caption(t("No champion yet: promote a model version that can answer."))
        go_to(
            "ab",
            t("Choose a champion"),
            key=f"crown_{target}",
            ab_target_next=target,
            ab_tab_next=t("Promotion gates"),
        )
        return
    if card.simulated:
        st.markdown(simulated_badge())
    accuracy_metric(card.metrics)
    if card.metrics:
        measured = score_charts.accuracy(card.metrics, t("Accuracy"), t("Macro-F1"))
        show(
            score_charts.measured(measured, t("majority")),
            f"champion_{target}",
            alt=fmt.share(card.metrics["accuracy"]),
        )
    st.caption(t("{name} · since {day}", name=fmt.plain(card.name), day=fmt.moment(card.since)[:10]))


def clock(session: Session) -> None:
    """Say which outcomes mature when, and what the scheduler does next."""
    section(t("What comes next"))
    for line in words.clock(outcome_clock(session), app().now()):
        st.markdown(f":material/schedule: {line}")
    runs = app().scheduler_state()["next_runs"]
    for name, at in sorted(runs.items(), key=lambda item: item[1]):
        st.markdown(f":material/update: {words.job(name)} · {fmt.moment(at)}")
    if not runs:
        st.caption(t("The scheduler does not run in this process."))


def plan(session: Session, counters: dict) -> None:
    """Tick the plan's phases from the database."""
    most = max(counters[target]["verified"] for target in TARGETS)
    steps = overview.plan_steps(session, most_verified=most, goal=app().policy.goal)
    section(
        tn("The plan: {n} step done", "The plan: {n} steps done", sum(step.done for step in steps)),
        t("Ticked from the database, never by hand."),
    )
    done, open_ = ":green[:material/check_circle:]", ":material/radio_button_unchecked:"
    goal = app().policy.goal
    lines = (
        f"{done if step.done else open_} {step.phase} · {words.step(step.code, goal=goal)}" for step in steps
    )
    # one paragraph with line breaks: a list this long should not fill the page
    st.markdown("  \n".join(lines))


def main() -> None:
    """Draw the page."""
    header(t("Overview"), t("From collected news to a promoted model: where it stands now."))
    with reading() as session:
        if overview.is_empty(session):
            welcome()
            return
        counters = progress(session, app().policy)["targets"]
        actions(session)
        live_jobs(detailed=False)
        left, right = st.columns([3, 2], gap="medium")
        with left:
            collected(session, counters)
            with st.container(border=True):
                month_card(session)
        with right:
            attention(session)
            clock(session)
        crowned = overview.champions(session)
        first, second, third = st.columns(3, gap="small")
        for target, column in zip(TARGETS, (first, second), strict=True):
            with column.container(border=True, height="stretch"):
                champion(target, crowned.get(target))
        with third.container(border=True, height="stretch"):
            plan(session, counters)


main()
