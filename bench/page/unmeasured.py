"""What a report does not know: assumed, taken from elsewhere, or left out."""

from ..clients import is_local
from ..report import Report


def unmeasured(report: Report) -> list[str]:
    """A sentence for each thing that a reader might take as measured, and that was not."""
    measured = report.measured
    found = [*_cost(report), *_energy(report)]
    if is_local(report.address):
        found.append("The network: client and server ran on one machine, and shared its cores.")
    if report.accuracy is None:
        found.append("Accuracy: no text that was asked had a label.")
    elif report.promised is None:
        found.append("Whether the accuracy is what the bundle promises: none was named.")
    if not any(phase.stages for phase in measured.phases):
        found.append("Stages in the server: it doesn't tell them on this API.")
    if sustained := measured.sustained:
        few = [name for name, value in sustained.summary.percentiles.items() if value is None]
        if few:
            found.append(
                f"{' and '.join(few)} at that rate: {sustained.summary.answered} calls are too few."
            )
    seconds = sum(phase.summary.seconds for phase in measured.phases)
    found.append(f"What comes after {seconds:.0f} seconds of load.")
    if not measured.repeats:
        found.append("How much another run would differ: the rate was measured once (see --repeats).")
    return found


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
