"""A whole page: one HTML document that needs no other file and no network."""

import base64
import hashlib
from functools import cache
from importlib import resources

from nograd import __version__
from nograd.core.colours import css_variables
from nograd.reports.charts import configuration, library
from nograd.reports.html import Child, Markup, data_block, join, tag

# Nothing is loaded from elsewhere, and only the script with this hash may run.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'; "
    "base-uri 'none'; form-action 'none'"
)


def document(title: str, subtitle: Child, *body: Child, refresh: int | None = None) -> str:
    """The text of an HTML file.

    Args:
        title: the title, also shown as the heading.
        subtitle: the line below the heading.
        body: the sections of the page.
        refresh: seconds until the browser reloads the page; None: never.
    """
    script = _script()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY.format(digest=digest)),
        tag("meta", http_equiv="refresh", content=refresh) if refresh else None,
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=f"nograd {__version__}"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Markup(css_variables() + _asset("style.css"))),
    )
    toggle = tag("button", "light / dark", type="button", id="theme", hidden=True)
    header = tag("header", toggle, tag("h1", title), tag("p", subtitle, class_="subtitle"))
    footer = tag("footer", f"nograd {__version__}")
    data = data_block(configuration(), id="chart-configuration")
    content = tag("body", header, tag("main", body), footer, data, tag("script", Markup(script)))
    return f"<!doctype html>\n{tag('html', head, content, lang='en')}\n"


def badge(text: str, kind: str = "plain") -> Markup:
    """A word in a coloured box; `kind` is plain, good, busy or bad."""
    return tag("span", text, class_=f"badge {kind}")


def note(*text: Child) -> Markup:
    """A remark in small grey type."""
    return tag("p", join(text), class_="note")


@cache
def _script() -> str:
    # A script element would end at such text inside of a string; in JavaScript the backslash changes nothing.
    return f"{library()}\n{_asset('page.js')}".replace("</script", "<\\/script").replace("<!--", "<\\!--")


@cache
def _asset(name: str) -> str:
    return (resources.files("nograd.reports") / name).read_text("utf-8")
