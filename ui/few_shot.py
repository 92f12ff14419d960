"""Few-shot versions: a provider's model with a prompt that shows it solved examples, seen before it is made."""

from collections.abc import Sequence

import streamlit as st

from core.domain.prompting import Prompt
from core.domain.training_format import assistant_message
from core.domain.types import ModelKind
from core.queries.models import ModelVersion, RegistryRow, datasets_of
from core.workflows import ProviderState, predictions
from ui import format as fmt
from ui.components import empty, facts, go_to, perform, section, simulated_badge
from ui.endings import by_provider, endings, tell
from ui.i18n import t, tn
from ui.provider_cards import choose_base, destination, ordered, runs_here, title
from ui.state import Session, app

#: Versions listed, newest first; the registry has them all.
SHOWN = 5
#: Where no dataset version lends its articles.
_DEFAULTS = 0


def create(session: Session, target: str, states: Sequence[ProviderState]) -> None:
    """Draw the form of a new few-shot version."""
    section(
        t("A few-shot version"),
        t(
            "A base model that is not trained: every question carries the instructions and one solved example of "
            "each class. The examples are articles of a dataset version's training part which the few-shot model "
            "they came with got right; never of its validation or test part."
        ),
    )
    answering = [state for state in ordered(states) if state.card.configured and not runs_here(state)]
    if not answering:
        with empty(t("No provider is set up that answers with a base model.")):
            go_to(
                "training", t("See which keys are missing"), key="few_shot_keys", training_tab_next=t("Jobs")
            )
        return
    named = by_provider(answering)
    first, second, third = st.columns([2, 2, 3], vertical_alignment="bottom")
    with first:
        names = {name: title(state) for name, state in named.items()}
        name = st.selectbox(
            t("Provider"),
            list(names),
            key="few_shot_provider",
            placeholder=fmt.DASH,
            format_func=names.__getitem__,
        )
    state = named[name]
    with second:
        base = choose_base(_models(state), f"few_shot_base_{name}")
    with third:
        dataset_id = _examples(session, target)
    for end in endings(state, base, app().now().date()):
        tell(end)
    where = t("News goes to: {place}", place=destination(state))
    st.caption(f":material/share_location: {where} · {t('Making a version sends nothing.')}")
    if st.button(
        t("Make the version"), type="primary", icon=":material/add:", key="few_shot_make", disabled=not base
    ):
        perform(
            lambda: predictions.create_few_shot(app(), name, base, dataset_id),
            working=t("Choosing examples …"),
            done=t("The few-shot version is made: ask it on the Evaluation tab."),
        )


def versions(rows: Sequence[RegistryRow]) -> None:
    """Draw the newest few-shot versions of a target with their prompts."""
    made = [
        row.model for row in rows if row.model.kind == ModelKind.FEW_SHOT and row.model.prompt.get("system")
    ]
    if not made:
        return
    section(
        t("Few-shot versions"),
        t("What is stored with a version never changes: another prompt is another version."),
    )
    for model in made[:SHOWN]:
        badge = f" {simulated_badge()}" if model.simulated else ""
        st.markdown(f"**{fmt.plain(model.name)}**{badge}")
        prompt(model)


def _models(state: ProviderState) -> list[str]:
    return [model.name for model in state.card.base_models if model.answers and model.name]


def _examples(session: Session, target: str) -> int | None:
    versions = {version.id: version for version in datasets_of(session, target)}
    chosen = st.selectbox(
        t("Examples from"),
        [*versions, _DEFAULTS],
        key=f"few_shot_examples_{target}",
        placeholder=fmt.DASH,
        format_func=lambda key: (
            t("made-up articles of no real company")
            if key == _DEFAULTS
            else t(
                "training part of {hash}, built {at}",
                hash=fmt.short_hash(versions[key].sha256),
                at=fmt.moment(versions[key].created_at),
            )
        ),
        help=t("A class of which there is no such article takes a made-up one."),
    )
    return None if chosen in (None, _DEFAULTS) else chosen


def prompt(model: ModelVersion) -> None:
    """Draw the exact prompt that is stored with a model version; nothing where it has none."""
    if not model.prompt.get("system"):
        return
    stored = Prompt.from_json(model.prompt)
    label = tn("The exact prompt, with {n} example", "The exact prompt, with {n} examples", len(stored.shots))
    with st.expander(label, icon=":material/description:", key=f"prompt_{model.id}"):
        st.caption(t("Instructions"))
        st.code(stored.system, language=None, wrap_lines=True)
        for shot in stored.shots:
            source = t("made up") if shot.article_id is None else t("article {id}", id=shot.article_id)
            st.caption(f"{fmt.word('sentiment', shot.answer.sentiment)} · {source}")
            facts(
                [
                    (t("Title"), shot.title),
                    (t("Body"), shot.body or fmt.DASH),
                    (t("Answer"), assistant_message(shot.answer)),
                ]
            )
        st.caption(t("Template of the question"))
        st.code(str(model.prompt.get("user", "")), language=None, wrap_lines=True)
