"""What a report does not know: assumed, taken from elsewhere, or left out."""

from ..clients import is_local
from ..report import Report
from ..statistics import Summary


def unmeasured(report: Report) -> list[str]:
    """A sentence for each thing that a reader might take as measured, and that was not."""
    measured = report.measured
    found = [*_cost(report), *_energy(report), *_answers(report)]
    if is_local(report.address):
        found.append("The network: client and server ran on one machine, and shared its cores.")
    if not any(phase.stages for phase in measured.phases):
        found.append("Stages in the server: it doesn't tell them on this API.")
    if measured.sustained:
        found += _certainty(measured.sustained.summary)
    return found + _time(report)


def _cost(report: Report) -> list[str]:
    if report.rate is None:
        return ["Cost: there is no rate to tell it of."]
    found = [
        "Speed on the machines of the price book: each is taken to be as fast as the one measured.",
        "Services: their list prices were read, their latency and accuracy were not measured.",
    ]
    if report.config.utilisation == 1:
        found.append("Utilisation: the machine is taken to have work all the time; real traffic has not.")
    return found


def _energy(report: Report) -> list[str]:
    found = [f"Energy: {why}." for why in report.unmetered]
    if idle := report.measured.idle:
        found.append(f"Energy outside of {', '.join(idle.joules)}: memory, disks, fans, losses in supply.")
    return found


def _answers(report: Report) -> list[str]:
    found = []
    if report.config.lengths:
        found.append(f"Real texts: those asked were made, of {report.config.source}.")
    if report.accuracy is None:
        found.append("Accuracy: no text that was asked had a label.")
    elif report.promised is None:
        found.append("Whether the accuracy is what the bundle promises: none was named.")
    return found


def _certainty(summary: Summary) -> list[str]:
    """Of the sustained rate."""
    found = []
    known = {name for name, value in summary.percentiles.items() if value is not None}
    if few := [name for name in summary.percentiles if name not in known]:
        found.append(f"{' and '.join(few)} at that rate: {summary.answered} calls are too few.")
    if vague := [name for name, bounds in summary.intervals.items() if None in bounds and name in known]:
        found.append(
            f"How far {' and '.join(vague)} may be off at that rate: {summary.answered} calls are too few"
            " for a 95 % interval."
        )
    if summary.drift is None:
        found.append(f"Whether the latency drifts at that rate: {summary.answered} calls are too few.")
    return found


def _time(report: Report) -> list[str]:
    measured, soak = report.measured, report.measured.soak
    phases = (*measured.phases, *(soak.slices if soak else ()))
    seconds = sum(phase.summary.seconds for phase in phases)
    hint = "" if soak else " (see --soak-seconds)"
    found = [f"What comes after {seconds:,.0f} seconds of load{hint}."]
    if soak and not soak.memory:
        found.append("The server's memory: no process was named (see --server-pid).")
    if measured.sustained and not measured.repeats:
        found.append("How much another run would differ: the rate was measured once (see --repeats).")
    return found
