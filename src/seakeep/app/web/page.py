"""The API on one page, written from its OpenAPI document: no script, and nothing from elsewhere."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

__all__ = ["render"]

_STYLE = """
:root{color-scheme:light dark;--line:#d5dae1;--soft:#5b6675;--back:#fff;--text:#15202b;--accent:#0b6e99;--code:#f3f5f8}
@media(prefers-color-scheme:dark){:root{--line:#313b47;--soft:#9aa7b5;--back:#11161c;--text:#e6ebf0;--accent:#5cc0ea;
--code:#1a222b}}
*{box-sizing:border-box}body{margin:0 auto;max-width:62rem;padding:1.5rem 1rem 4rem;background:var(--back);
color:var(--text);font:16px/1.5 system-ui,sans-serif}h1{margin:0 0 .3rem}h2{margin:2.2rem 0 .6rem}
p{margin:.3rem 0}a{color:var(--accent)}.soft{color:var(--soft)}
details{border:1px solid var(--line);border-radius:.5rem;margin:.4rem 0}summary{padding:.55rem .8rem;cursor:pointer}
summary code{font-weight:600;overflow-wrap:anywhere}.in{padding:0 .8rem .8rem}
.verb{display:inline-block;min-width:3.4rem;color:var(--accent);font-weight:700}
code,pre{font:14px/1.45 ui-monospace,monospace}pre{background:var(--code);padding:.6rem;border-radius:.4rem;
overflow-x:auto}.table{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.3rem .7rem .3rem 0;border-top:1px solid var(--line)}
"""


def render(document: Mapping[str, Any]) -> str:
    """The page of an OpenAPI document, as HTML."""
    info = document["info"]
    tags: dict[str, list[str]] = {}
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            tag = operation.get("tags", ["other"])[0]
            tags.setdefault(tag, []).append(_operation(document, verb, path, operation))
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(parts)}" for tag, parts in tags.items())
    says = "".join(f"<p>{_marked(part)}</p>" for part in info["description"].split("\n\n"))
    title = f"{escape(info['title'])} API"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style>'
        f'<h1>{title}</h1><p class="soft">version {escape(info["version"])}, '
        f'<a href="/openapi.json">openapi.json</a></p>{says}{body}</html>'
    )


def _marked(text: str) -> str:
    """Text with `code` marked as such."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))


def _operation(document: Mapping[str, Any], verb: str, path: str, operation: Mapping[str, Any]) -> str:
    says = _marked(operation.get("description", ""))
    asked, answered = _table("asked", _asked(document, operation)), _table("answered", _answered(document, operation))
    summary = f'<span class="verb">{verb.upper()}</span> <code>{escape(path)}</code>'
    return f'<details><summary>{summary}</summary><div class="in"><p>{says}</p>{asked}{answered}</div></details>'


def _asked(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for given in operation.get("parameters", ()):
        where = f"{given['name']} ({given['in']})"
        yield (
            where,
            _kind(document, given["schema"]),
            given.get("description") or given["schema"].get("description", ""),
        )
    content = operation.get("requestBody", {}).get("content", {})
    for body in content.values():
        yield from _fields(document, body["schema"])


def _answered(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for status, reply in operation["responses"].items():
        for body in reply.get("content", {}).values() if status.startswith("2") else ():
            yield from _fields(document, body.get("schema", {}))


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(name, kind, meaning) of each property; of a list those of its items."""
    schema = _resolved(document, schema)
    if schema.get("type") == "array":
        schema = _resolved(document, schema["items"])
    needed = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        kind = _kind(document, field)
        yield name, kind if name in needed else f"{kind}, optional", field.get("description", "")


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _kind(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        found = _resolved(document, schema)
        return _kind(document, found) if "enum" in found else schema["$ref"].rpartition("/")[2]
    if choices := schema.get("anyOf"):
        return " or ".join(_kind(document, choice) for choice in choices)
    if "enum" in schema or "const" in schema:
        return ", ".join(map(str, schema.get("enum", [schema.get("const")])))
    if schema.get("type") == "array":
        return f"list of {_kind(document, schema.get('items', {}))}"
    bounds = [f"{sign} {schema[key]}" for key, sign in _BOUNDS if key in schema]
    return " ".join([str(schema.get("type", "anything")), *bounds])


_BOUNDS = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))


def _table(title: str, rows: Iterator[tuple[str, str, str]]) -> str:
    lines = [
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td><td>{_marked(says)}</td></tr>"
        for name, kind, says in rows
    ]
    if not lines:
        return ""
    head = f"<tr><th>{title}</th><th>kind</th><th>meaning</th></tr>"
    return f'<div class="table"><table>{head}{"".join(lines)}</table></div>'
