//! The one table: every key, where it holds, what it does, what it is called.

use ratatui::crossterm::event::KeyCode;

use super::{Action as A, Binding, Context as C, JOIN, Key};
use crate::app::ViewId;

const fn ch(c: char) -> Key {
    Key { code: KeyCode::Char(c), control: false }
}

const fn ctrl(c: char) -> Key {
    Key { code: KeyCode::Char(c), control: true }
}

const fn code(code: KeyCode) -> Key {
    Key { code, control: false }
}

const fn bind(
    context: C,
    keys: &'static [Key],
    action: A,
    hint: &'static str,
    help: &'static str,
) -> Binding {
    Binding { context, keys, action, hint, help }
}

const LEFT: &[Key] = &[code(KeyCode::Left), ch('h')];
const RIGHT: &[Key] = &[code(KeyCode::Right), ch('l')];
const UP: &[Key] = &[code(KeyCode::Up), ch('k')];
const DOWN: &[Key] = &[code(KeyCode::Down), ch('j')];
const PAGE_UP: &[Key] = &[code(KeyCode::PageUp)];
const PAGE_DOWN: &[Key] = &[code(KeyCode::PageDown)];

/// The table.
pub const KEYMAP: &[Binding] = &[
    // What she does all day comes first: the key line shows as many as fit.
    bind(
        C::Everywhere,
        &[ch(' ')],
        A::Toggle,
        "off/on",
        "switch the head or neuron under the cursor off or on",
    ),
    bind(C::Everywhere, &[ch('u')], A::Clear, "clear", "switch everything on again"),
    bind(C::Everywhere, &[ch('U')], A::Restore, JOIN, "switch off again what was last cleared"),
    bind(
        C::Everywhere,
        &[ch('m')],
        A::CycleKind,
        "zero/mean",
        "ablate to zero, or to the mean over the validation set",
    ),
    bind(
        C::Everywhere,
        &[ch('d')],
        A::ToggleDiff,
        "diff",
        "show or hide the line of predictions with the ablation",
    ),
    bind(
        C::Everywhere,
        &[ch('t')],
        A::CycleTarget,
        "target",
        "target: label, prediction, label minus runner-up, token",
    ),
    bind(C::Everywhere, &[ch('T')], A::TargetHere, JOIN, "target: the token under the cursor"),
    bind(C::Everywhere, &[ch('[')], A::Back, "step", "the snapshot before"),
    bind(C::Everywhere, &[ch(']')], A::Forward, JOIN, "the snapshot after; after the newest, follow the run"),
    bind(C::Everywhere, &[ch('{')], A::FirstSnapshot, "", "the first snapshot"),
    bind(C::Everywhere, &[ch('}')], A::Follow, "", "follow the run"),
    bind(C::Everywhere, &[ch('f')], A::Freeze, "freeze", "keep this snapshot in view; again: follow the run"),
    bind(
        C::Everywhere,
        &[ch('F')],
        A::Fold,
        "fold",
        "trained weights, or the same with their layer norms folded in",
    ),
    bind(C::Everywhere, &[ch('i')], A::Edit, "edit", "type tokens over the sequence"),
    bind(
        C::Everywhere,
        &[ch('y')],
        A::Copy,
        "copy",
        "copy the focused numbers as CSV to the terminal's clipboard",
    ),
    bind(
        C::Everywhere,
        &[ch('e')],
        A::Export,
        "export",
        "write the numbers as CSV and JSON, and the view as SVG",
    ),
    bind(C::Everywhere, &[ch('r')], A::RandomSequence, "random", "a new random sequence"),
    bind(C::Everywhere, &[ch('n')], A::ValidationSequence(1), "next", "the next validation sequence"),
    bind(C::Everywhere, &[ch('N')], A::ValidationSequence(-1), JOIN, "the validation sequence before"),
    bind(C::Everywhere, &[code(KeyCode::Home), ch('0')], A::FirstPosition, "", "the first position"),
    bind(C::Everywhere, &[code(KeyCode::End), ch('$')], A::LastPosition, "", "the last position"),
    bind(C::Everywhere, &[ch('w')], A::NextWrong(1), "wrong", "the next position that is predicted wrongly"),
    bind(C::Everywhere, &[ch('W')], A::NextWrong(-1), JOIN, "the wrong position before"),
    bind(
        C::Everywhere,
        &[ch('c')],
        A::NextChanged(1),
        "changed",
        "the next position that the ablation changes",
    ),
    bind(C::Everywhere, &[ch('C')], A::NextChanged(-1), JOIN, "the changed position before"),
    bind(C::Everywhere, &[ch('.')], A::Head(1), "", "the next head, then the next layer's first"),
    bind(C::Everywhere, &[ch(',')], A::Head(-1), "", "the head before"),
    bind(C::Everywhere, &[ch('>')], A::Layer(1), "", "the next layer"),
    bind(C::Everywhere, &[ch('<')], A::Layer(-1), "", "the layer before"),
    bind(C::Everywhere, &[ch('1')], A::View(ViewId::Train), "", "training: loss, learning rate, accuracy"),
    bind(C::Everywhere, &[ch('2')], A::View(ViewId::Attention), "", "attention of a head"),
    bind(C::Everywhere, &[ch('3')], A::View(ViewId::Logits), "", "logits: what each part adds to the target"),
    bind(C::Everywhere, &[ch('4')], A::View(ViewId::Neurons), "", "neurons of a layer"),
    bind(C::Everywhere, &[ch('5')], A::View(ViewId::Circuits), "", "circuits: what the weights alone say"),
    bind(C::Everywhere, &[ch('6')], A::View(ViewId::Ablate), "", "ablation: what switching off does"),
    bind(C::Everywhere, &[code(KeyCode::Tab)], A::NextView, "", "the next view"),
    bind(C::Everywhere, &[code(KeyCode::BackTab)], A::PreviousView, "", "the view before"),
    bind(
        C::Everywhere,
        &[code(KeyCode::Enter)],
        A::Evaluate,
        "anew",
        "take the figures over the validation set again, at this step",
    ),
    bind(C::Everywhere, &[ch('P')], A::PauseResume, "pause", "pause training, or go on"),
    bind(C::Everywhere, &[ch('S')], A::SingleStep, JOIN, "train one step and wait"),
    bind(C::Everywhere, &[ch('?')], A::Help, "keys", "this list"),
    bind(C::Everywhere, &[ctrl('l')], A::Repaint, "", "draw the screen anew"),
    bind(C::Everywhere, &[ctrl('z')], A::Suspend, "", "back to the shell; training goes on, fg returns"),
    bind(C::Everywhere, &[code(KeyCode::Esc)], A::Dismiss, "", "take back a question or a message"),
    bind(C::Everywhere, &[ch('q')], A::Quit, "quit", "save and quit; while training it asks once"),
    bind(C::Everywhere, &[ctrl('c')], A::QuitNow, "", "save and quit without asking"),
    bind(C::Train, LEFT, A::Position(-1), "position", "the position before"),
    bind(C::Train, RIGHT, A::Position(1), JOIN, "the next position"),
    bind(C::Train, &[ch('x')], A::LogScale, "log/linear", "loss on a logarithmic or a linear scale"),
    bind(C::Attention, LEFT, A::Key(-1), "key", "the key before"),
    bind(C::Attention, RIGHT, A::Key(1), JOIN, "the next key"),
    bind(C::Attention, UP, A::Position(-1), "query", "the query (position) before"),
    bind(C::Attention, DOWN, A::Position(1), JOIN, "the next query (position)"),
    bind(C::Attention, PAGE_UP, A::Page(-1), "", "ten queries up"),
    bind(C::Attention, PAGE_DOWN, A::Page(1), "", "ten queries down"),
    bind(C::Attention, &[ch('x')], A::Scale, "scale", "scale: attention, relative to uniform, times |v W_O|"),
    bind(C::Attention, &[ch('z'), ch('+')], A::Zoom(1), "zoom", "zoom in"),
    bind(C::Attention, &[ch('Z'), ch('-')], A::Zoom(-1), JOIN, "zoom out"),
    bind(
        C::Attention,
        &[ch('a')],
        A::ReplacePattern,
        "attend",
        "the head attends by itself, uniformly, to itself, to before",
    ),
    bind(C::Attention, &[ch('A')], A::ReplacePatterns, JOIN, "the same for every head"),
    bind(
        C::Attention,
        &[ch('v')],
        A::MeanPattern,
        "mean",
        "this sequence's pattern, or the validation set's mean",
    ),
    bind(C::Logits, LEFT, A::Position(-1), "position", "the position before"),
    bind(C::Logits, RIGHT, A::Position(1), JOIN, "the next position"),
    bind(C::Logits, UP, A::Line(-1), "writer", "the writer above"),
    bind(C::Logits, DOWN, A::Line(1), JOIN, "the writer below"),
    bind(C::Logits, PAGE_UP, A::Page(-1), "", "ten writers up"),
    bind(C::Logits, PAGE_DOWN, A::Page(1), "", "ten writers down"),
    bind(
        C::Logits,
        &[ch('o')],
        A::SplitMlp,
        "neuron",
        "the cursor's neuron in a row of its own, below its MLP",
    ),
    bind(C::Logits, &[ch('v')], A::LogitPanel, "lens", "below: a writer over positions, or the logit lens"),
    bind(C::Neurons, LEFT, A::Position(-1), "position", "the position before"),
    bind(C::Neurons, RIGHT, A::Position(1), JOIN, "the next position"),
    bind(C::Neurons, UP, A::Line(-1), "neuron", "the neuron above"),
    bind(C::Neurons, DOWN, A::Line(1), JOIN, "the neuron below"),
    bind(C::Neurons, PAGE_UP, A::Page(-1), "", "ten neurons up"),
    bind(C::Neurons, PAGE_DOWN, A::Page(1), "", "ten neurons down"),
    bind(C::Neurons, &[ch('g')], A::FirstLine, "", "the first neuron of the list, whichever comes first"),
    bind(C::Neurons, &[ch('G')], A::LastLine, "", "the last neuron of the list"),
    bind(C::Neurons, &[ch('s')], A::Sort, "sort", "sort by clean contribution, clean activation, or index"),
    bind(C::Neurons, &[ch('p')], A::Pick, "pick", "pick the neuron for the traces, or drop it"),
    bind(
        C::Neurons,
        &[ch('o')],
        A::Overlay,
        "overlay",
        "beneath the sum: count, lead, share, last seen of the target",
    ),
    bind(
        C::Neurons,
        &[ch('b')],
        A::PickTrackers,
        "",
        "pick the neurons, four at most, that track the target best",
    ),
    bind(C::Neurons, &[ch('B')], A::ToggleTrackers, "", "switch those off or on"),
    bind(C::Neurons, &[ch('v')], A::LowerPanel, "map", "traces of the picked neurons, or a map of all"),
    bind(C::Circuits, LEFT, A::Column(-1), "column", "the key, logit or neuron before"),
    bind(C::Circuits, RIGHT, A::Column(1), JOIN, "the next key, logit or neuron"),
    bind(C::Circuits, UP, A::Row(-1), "row", "the query or token above"),
    bind(C::Circuits, DOWN, A::Row(1), JOIN, "the query or token below"),
    bind(C::Circuits, PAGE_UP, A::Page(-1), "", "ten rows up, or paths"),
    bind(C::Circuits, PAGE_DOWN, A::Page(1), "", "ten rows down, or paths"),
    bind(C::Circuits, &[ch('o')], A::Position(-1), "position", "paths at the position before"),
    bind(C::Circuits, &[ch('p')], A::Position(1), JOIN, "paths at the next position"),
    bind(
        C::Circuits,
        &[ch('J')],
        A::Path(1),
        "path",
        "the next path, its head and neuron; space is the neuron's",
    ),
    bind(C::Circuits, &[ch('K')], A::Path(-1), JOIN, "the path before"),
    bind(
        C::Circuits,
        &[ch('v')],
        A::Map,
        "map",
        "QK of tokens, QK of positions, OV to logits, OV to neurons",
    ),
    bind(
        C::Circuits,
        &[ch('x')],
        A::QkScale,
        "scale",
        "QK as it is, over sqrt(d_head), and over the layer norm scale",
    ),
    bind(C::Ablate, LEFT, A::Position(-1), "position", "the position before"),
    bind(C::Ablate, RIGHT, A::Position(1), JOIN, "the next position"),
    bind(C::Ablate, UP, A::Line(-1), "list", "the line above in the list of what is off"),
    bind(C::Ablate, DOWN, A::Line(1), JOIN, "the line below"),
    bind(C::Ablate, PAGE_UP, A::Page(-1), "", "ten lines up"),
    bind(C::Ablate, PAGE_DOWN, A::Page(1), "", "ten lines down"),
    bind(C::Edit, &[code(KeyCode::Left)], A::EditMove(-1), "move", "a token to the left"),
    bind(C::Edit, &[code(KeyCode::Right)], A::EditMove(1), JOIN, "a token to the right"),
    bind(C::Edit, &[code(KeyCode::Home)], A::EditStart, "", "the first token"),
    bind(C::Edit, &[code(KeyCode::End)], A::EditEnd, "", "after the last token"),
    bind(C::Edit, &[code(KeyCode::Enter)], A::EditApply, "keep", "keep the sequence"),
    bind(
        C::Edit,
        &[code(KeyCode::Esc), ctrl('c')],
        A::EditCancel,
        "cancel",
        "return to the sequence as it was",
    ),
    bind(C::Edit, &[ch(' '), ch(',')], A::EditFinish, "", "end of a token that could have more digits"),
    bind(
        C::Edit,
        &[ch('i'), code(KeyCode::Insert)],
        A::EditInsert,
        "insert",
        "type between tokens, or over them",
    ),
    bind(C::Edit, &[code(KeyCode::Backspace)], A::EditBackspace, "delete", "remove the token to the left"),
    bind(C::Edit, &[code(KeyCode::Delete), ch('x')], A::EditDelete, "", "remove the token under the cursor"),
    bind(C::Edit, &[ctrl('k')], A::EditCut, "cut", "remove everything from the cursor on"),
    bind(C::Help, UP, A::HelpLine(-1), "scroll", "a line up"),
    bind(C::Help, DOWN, A::HelpLine(1), JOIN, "a line down"),
    bind(C::Help, &[code(KeyCode::PageUp)], A::HelpLine(-10), "", "ten lines up"),
    bind(C::Help, &[code(KeyCode::PageDown), ch(' ')], A::HelpLine(10), "", "ten lines down"),
    bind(
        C::Help,
        &[code(KeyCode::Esc), ch('?'), ch('q'), ctrl('c')],
        A::HelpClose,
        "close",
        "back to the view",
    ),
];
