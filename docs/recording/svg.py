"""An animated picture of what a terminal showed: one SVG, with CSS alone, no script and no font of its own."""

from xml.sax.saxutils import escape

COLUMN, ROW, MARGIN, BAR = 8.4, 19, 16, 30
# How long the last picture stays before the animation begins again, and how often it plays.
HOLD, TIMES = 8.0, 3
COLOURS = ["#6e7681", "#ff7b72", "#7ee787", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#f0f6fc"]


def drawing(frames, columns, rows, title):
    """The SVG for `frames`, pairs of a time in seconds and a picture, of which the last one stays."""
    end = frames[-1][0] + HOLD
    width, height = columns * COLUMN + 2 * MARGIN, rows * ROW + BAR + MARGIN
    shown = lines(frames, end)
    periods = sorted({period for period, _, _ in shown if period != (0, end)})
    names = {period: f"p{number}" for number, period in enumerate(periods)}
    body = "\n".join(group(period, row, picture, names.get(period)) for period, row, picture in shown)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}" role="img" aria-label="{escape(title)}">
<style>
{style(names, end)}
</style>
<rect class="window" x=".5" y=".5" width="{width - 1:.0f}" height="{height - 1}" rx="8"/>
<circle cx="20" cy="17" r="5"/><circle cx="37" cy="17" r="5"/><circle cx="54" cy="17" r="5"/>
{body}
</svg>
"""


def lines(frames, end):
    """Every line that was ever to be seen, as (period, row, runs): a line that stays is drawn once."""
    shown, open_lines = [], {}
    for time, picture in [*frames, (end, [() for _ in frames[-1][1]])]:
        for row, runs in enumerate(picture):
            since, before = open_lines.get(row, (0, ()))
            if runs == before:
                continue
            if before:
                shown.append(((since, time), row, before))
            open_lines[row] = (time, runs)
    return shown


def group(period, row, runs, name):
    y = BAR + (row + 0.75) * ROW
    texts = "".join(text(run, y) for run in runs)
    return f'<g class="{name}">{texts}</g>' if name else f"<g>{texts}</g>"


def text(run, y):
    column, columns, characters, style = run
    # Plain characters keep their columns by the font; for all others the width is said.
    exact = f' textLength="{columns * COLUMN:.1f}" lengthAdjust="spacingAndGlyphs"'
    named = f' class="{" ".join(sorted(style))}"' if style else ""
    return f'<text x="{MARGIN + column * COLUMN:.1f}" y="{y:g}"{exact}{named}>{escape(characters)}</text>'


def style(names, end):
    """The last picture is what stands without animation, for who wants no motion and for what knows none."""
    rules = [
        "text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#e6edf3;white-space:pre}",
        ".window{fill:#0d1117;stroke:#484f58}circle{fill:#484f58}.bold{font-weight:bold}.dim{fill:#9198a1}",
    ]
    rules += [f".c{number}{{fill:{colour}}}" for number, colour in enumerate(COLOURS)]
    rules += [f".{name}{{visibility:hidden}}" for (_, to), name in names.items() if to < end]
    rules.append("@media (prefers-reduced-motion:no-preference){")
    for (since, to), name in names.items():
        rules.append(f".{name}{{animation:{name} {end:.2f}s steps(1,end) {TIMES} both}}")
        rules.append(f"@keyframes {name}{{{keyframes(since / end, to / end)}}}")
    return "\n".join([*rules, "}"])


def keyframes(since, to):
    on, off = "{visibility:visible}", "{visibility:hidden}"
    before = f"0%{off}" if since else ""
    after = f"{to:.3%}{off}100%{off}" if to < 1 else f"100%{on}"
    return f"{before}{since:.3%}{on}{after}"
