"""The readable form of message components: buttons, menus, and the texts and media of "components v2"."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from junkie_cli.prompt import payload
from junkie_cli.prompt.view import View


class _Type:
    """The component types that show something in a way of their own (Discord docs, "Component Types")."""

    BUTTON: Final = 2
    TEXT_DISPLAY: Final = 10
    THUMBNAIL: Final = 11
    MEDIA_GALLERY: Final = 12
    FILE: Final = 13


# Rows, sections, separators, containers and labels only arrange others.
_SILENT: Final = frozenset({1, 9, 14, 17, 18})
_MENUS: Final = {3: "choose", 5: "choose users", 6: "choose roles", 7: "choose users or roles", 8: "choose channels"}


def describe_components(components: list[Mapping[str, Any]], of: Mapping[str, Any], view: View) -> Iterator[str]:
    """Yield a part for every component that shows something, in the order in which people saw them."""
    # A stack rather than recursion: a payload may be nested deeper than Python allows.
    stack = components[::-1]
    while stack:
        component = stack.pop()
        yield from _describe(component, of, view)
        inner = payload.records(component, "components")
        inner += [one for key in ("accessory", "component") if (one := payload.record(component, key))]
        stack.extend(reversed(inner))


def _describe(component: Mapping[str, Any], of: Mapping[str, Any], view: View) -> list[str]:
    kind = payload.number(component, "type")
    if kind in _SILENT:
        return []
    if kind in _MENUS:
        return [_menu(component, _MENUS[kind], view)]
    match kind:
        case _Type.BUTTON:
            shown = [_button(component, view)]
        case _Type.TEXT_DISPLAY:
            shown = [f"[Text: {view.text(payload.string(component, 'content'), of)}]"]
        case _Type.THUMBNAIL:
            shown = [_media(component, view)]
        case _Type.MEDIA_GALLERY:
            shown = [_media(item, view) for item in payload.records(component, "items")]
        case _Type.FILE:
            shown = [_file(component, view)]
        case _:
            shown = [f"[Component: of type {kind}]"]
    return shown


def _button(button: Mapping[str, Any], view: View) -> str:
    emoji = payload.emoji_text(payload.record(button, "emoji"))
    label = " ".join(part for part in (emoji, payload.string(button, "label")) if part)
    if not label:
        label = "premium" if button.get("sku_id") else "no label"
    url = payload.string(button, "url")
    return f"[Button: {view.line(f'{label}, {url}' if url else label)}]"


def _menu(menu: Mapping[str, Any], purpose: str, view: View) -> str:
    options = [payload.string(option, "label") for option in payload.records(menu, "options")]
    shown = [payload.string(menu, "placeholder") or purpose, *options]
    return f"[Menu: {' | '.join(view.line(text) for text in shown)}]"


def _media(item: Mapping[str, Any], view: View) -> str:
    url = payload.string(payload.record(item, "media"), "url") or "no address"
    description = payload.string(item, "description")
    return f"[Media: {view.line(f'{url}, {description}' if description else url)}]"


def _file(file: Mapping[str, Any], view: View) -> str:
    url = payload.string(payload.record(file, "file"), "url")
    named = [part for part in (payload.string(file, "name"), url) if part]
    return f"[File: {view.line(', '.join(named)) or 'no address'}]"
