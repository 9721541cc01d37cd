"""``strop data``: fetch, split, check, redact, take feedback, hide."""

from cyclopts import App

app = App(name="data", help="Make, check and split labelled data.")
# Named by import path, as the stages are: splitting must not pay for what checking loads.
_COMMANDS = (
    ("split", "split:split", "Divide a labelled file into train, validation and test."),
    ("check", "checks.command:check", "What is wrong with labelled data, row by row."),
    ("redact", "redaction.command:redact", "Mask personal data before anything is trained."),
    ("from-feedback", "from_feedback:from_feedback", "Training data of what callers said was right."),
    ("cloze", "cloze:cloze", "The questions that a fill-mask bundle is judged by, for strop bench."),
    ("sentiment", "sentiment:sentiment", "Human-rated sentences as a three-class data set."),
    ("encoder", "sentiment:encoder", "Fetch a small English encoder, MiniLM-L6, and print its folder."),
)
for _place, (_name, _target, _help) in enumerate(_COMMANDS):
    app.command(f"strop.train.data.{_target}", name=_name, help=_help, sort_key=_place)
