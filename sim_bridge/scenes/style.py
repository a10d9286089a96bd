"""The style of a house: its paints, woods, fabrics and floors, drawn once so that its rooms belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim_bridge.randomness import keyed_rng
from sim_bridge.scenes.materials import material
from sim_bridge.scenes.scene import Surface
from sim_bridge.scenes.textures import Colour, draw_texture, shade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim_bridge.scenes.mesh_builder import MeshBuilder

_PAINTS: tuple[Colour, ...] = (
    (236, 230, 216),
    (222, 206, 178),
    (203, 216, 196),
    (168, 192, 160),
    (176, 200, 216),
    (126, 158, 186),
    (232, 196, 172),
    (214, 150, 122),
    (240, 222, 160),
    (226, 190, 96),
    (206, 186, 206),
    (160, 132, 158),
    (196, 198, 200),
    (150, 156, 160),
    (120, 150, 142),
    (232, 208, 208),
    (186, 102, 92),
    (92, 118, 148),
)
_WOODS: tuple[tuple[Colour, Colour], ...] = (
    ((186, 140, 92), (214, 172, 124)),
    ((112, 70, 42), (150, 100, 64)),
    ((214, 178, 128), (236, 206, 162)),
    ((74, 48, 34), (104, 70, 50)),
    ((150, 84, 54), (182, 112, 76)),
    ((158, 146, 130), (190, 180, 164)),
    ((226, 222, 214), (242, 240, 234)),
)
_FABRICS: tuple[Colour, ...] = (
    (62, 84, 132),
    (150, 62, 58),
    (72, 112, 88),
    (196, 160, 78),
    (110, 104, 100),
    (196, 186, 168),
    (128, 84, 120),
    (206, 118, 66),
    (60, 118, 128),
    (168, 128, 104),
    (54, 58, 66),
)
_STONES: tuple[Colour, ...] = (
    (224, 220, 212),
    (176, 172, 166),
    (120, 122, 124),
    (206, 186, 158),
    (84, 90, 98),
    (196, 210, 206),
    (150, 104, 84),
)
_WHITE: Colour = (240, 239, 235)


class Style:
    """Hands out named surfaces and registers each with the builder when it is first used.

    Everything is drawn from `seed` and the surface's name alone, so that one more piece of furniture changes
    no other texture of the house.
    """

    def __init__(self, builder: MeshBuilder, seed: int):
        self._builder = builder
        self._seed = seed
        rng = keyed_rng(seed, "style")
        self._paints = [_PAINTS[k] for k in rng.permutation(len(_PAINTS))]
        self._woods = [_WOODS[k] for k in rng.permutation(len(_WOODS))]
        self._fabrics = [_FABRICS[k] for k in rng.permutation(len(_FABRICS))]
        self._stones = [_STONES[k] for k in rng.permutation(len(_STONES))]
        self._trim = _WHITE if rng.random() < 0.7 else self._woods[0][0]
        self._ceiling = shade(_WHITE, float(rng.uniform(0.94, 1.0)))
        self._plasterboard = bool(rng.random() < 0.5)

    def _get(
        self,
        name: str,
        kind: str,
        colours: Sequence[Colour],
        repeat: float,
        material_name: str,
        emission: float = 0.0,
    ) -> str:
        if self._builder.has(name):
            return name
        texture_HWC = draw_texture(kind, colours, keyed_rng(self._seed, "texture", name))
        return self._builder.surface(
            Surface(name=name, texture_HWC=texture_HWC, material=material(material_name), emission=emission), repeat
        )

    def wall(self, room: int, kind: str) -> str:
        """The room's walls: paint, wallpaper, tiles, bricks or panelling."""
        rng = keyed_rng(self._seed, "wall", room)
        paint = self._paints[room % len(self._paints)]
        solid = "plasterboard_wall" if self._plasterboard else "plaster_wall"
        name = f"wall {room}"
        if kind == "bathroom":
            look = str(rng.choice(["tiles", "metro", "checker"]))
            second = self._stones[0] if look == "checker" else shade(paint, 0.7)
            return self._get(name, look, (shade(paint, 1.25), second), 0.8, "ceramic_tiles")
        look = str(
            rng.choice(["plain", "stripes", "dots", "damask", "bricks", "panel"], p=[0.5, 0.14, 0.1, 0.1, 0.1, 0.06])
        )
        if look == "bricks":
            return self._get(name, "bricks", ((172, 98, 76), (196, 186, 172)), 1.0, "brick_wall")
        if look == "panel":
            return self._get(name, "planks", self._woods[1], 1.2, "wood_panelling")
        repeat = {"plain": 2.0, "stripes": 1.2, "dots": 1.0, "damask": 1.0}[look]
        return self._get(name, look, (paint, shade(paint, float(rng.choice([0.84, 1.35])))), repeat, solid)

    def accent_wall(self, room: int) -> str:
        """One wall of a room in a stronger colour."""
        return self._get(f"accent wall {room}", "plain", (shade(self._paints[-1 - room], 0.85),), 2.0, "plaster_wall")

    def floor(self, room: int, kind: str) -> str:
        rng = keyed_rng(self._seed, "floor", room)
        name = f"floor {room}"
        stone = self._stones[room % len(self._stones)]
        if kind in ("bathroom", "kitchen"):
            look = str(rng.choice(["tiles", "checker", "marble", "plain"]))
            made_of = {"marble": "marble_floor", "plain": "linoleum"}.get(look, "ceramic_tiles")
            return self._get(name, look, (stone, shade(stone, 0.62)), float(rng.uniform(1.2, 2.0)), made_of)
        look = str(rng.choice(["planks", "herringbone", "pile", "tiles"], p=[0.45, 0.2, 0.22, 0.13]))
        if look == "pile":
            colour = self._fabrics[room % len(self._fabrics)]
            return self._get(name, "pile", (shade(colour, 1.25), shade(colour, 1.6)), 1.0, "carpet_thin")
        if look == "tiles":
            return self._get(name, "tiles", (stone, shade(stone, 0.7)), 2.4, "ceramic_tiles")
        wood = self._woods[room % 3]
        return self._get(name, look, wood, 1.4 if look == "planks" else 1.1, "wood_floor")

    def ceiling(self) -> str:
        return self._get("ceiling", "plain", (self._ceiling,), 2.0, "plasterboard_ceiling")

    def trim(self) -> str:
        """Door frames, window frames and skirting boards."""
        return self._get("trim", "plain", (self._trim,), 1.0, "wood_furniture")

    def threshold(self) -> str:
        return self._get("threshold", "grain", self._woods[0], 0.5, "wood_floor")

    def wood(self, variant: int = 0) -> str:
        return self._get(f"wood {variant}", "grain", self._woods[variant % len(self._woods)], 0.8, "wood_furniture")

    def chair_wood(self) -> str:
        return self._get("chair wood", "grain", self._woods[1], 0.6, "wooden_chair")

    def lacquer(self, variant: int = 0) -> str:
        """Painted fronts of kitchens and wardrobes."""
        colour = (_WHITE, self._paints[3], self._paints[5], (98, 108, 118))[variant % 4]
        return self._get(f"lacquer {variant}", "plain", (colour,), 1.0, "wood_furniture")

    def fabric(self, variant: int = 0) -> str:
        colour = self._fabrics[variant % len(self._fabrics)]
        return self._get(f"fabric {variant}", "weave", (shade(colour, 0.85), shade(colour, 1.2)), 0.5, "upholstery")

    def bedding(self, variant: int = 0) -> str:
        colour = self._fabrics[(variant + 3) % len(self._fabrics)]
        look = ("stripes", "dots", "weave")[(variant + self._seed) % 3]
        return self._get(f"bedding {variant}", look, (shade(colour, 1.5), colour), 0.7, "bedding")

    def linen(self) -> str:
        return self._get("linen", "weave", ((226, 222, 214), (246, 244, 240)), 0.5, "bedding")

    def curtain(self) -> str:
        colour = shade(self._fabrics[2], 1.2)
        return self._get("curtain", "stripes", (colour, shade(colour, 0.8)), 0.35, "curtain")

    def rug(self, variant: int = 0) -> str:
        colours = [self._fabrics[(variant + k) % len(self._fabrics)] for k in range(3)]
        return self._get(f"rug {variant}", "rug", colours, 1.0, "carpet_thick")

    def picture(self, variant: int) -> str:
        colours = [self._paints[(variant * 3 + k) % len(self._paints)] for k in range(3)]
        colours.append(self._fabrics[variant % len(self._fabrics)])
        return self._get(f"picture {variant}", "picture", colours, 1.0, "cloth")

    def books(self, variant: int = 0) -> str:
        return self._get(f"books {variant % 3}", "books", self._fabrics, 1.0, "books")

    def metal(self) -> str:
        return self._get("metal", "plain", ((176, 180, 184),), 1.0, "metal")

    def dark_metal(self) -> str:
        return self._get("dark metal", "plain", ((58, 60, 64),), 1.0, "metal")

    def ceramic(self) -> str:
        return self._get("ceramic", "plain", ((244, 244, 242),), 1.0, "sanitary_ceramic")

    def pot(self) -> str:
        return self._get("pot", "plain", (self._stones[-1],), 0.6, "sanitary_ceramic")

    def stone(self) -> str:
        return self._get("worktop", "marble", (self._stones[2], shade(self._stones[2], 0.7)), 0.8, "marble_floor")

    def mirror(self) -> str:
        return self._get("mirror", "screen", ((150, 168, 178), (226, 236, 240)), 1.0, "glass")

    def screen(self) -> str:
        return self._get("screen", "screen", ((18, 20, 24), (70, 84, 104)), 1.0, "glass")

    def leaves(self) -> str:
        return self._get("leaves", "leaves", ((38, 84, 36), (112, 164, 74)), 0.4, "foliage")

    def toy(self, variant: int) -> str:
        colour = ((208, 62, 52), (62, 120, 196), (236, 190, 60), (74, 158, 90))[variant % 4]
        return self._get(f"toy {variant % 4}", "plain", (colour,), 0.5, "plastic")

    def lamp(self) -> str:
        return self._get("lamp", "plain", ((255, 246, 226),), 0.5, "plastic", emission=1.0)

    def lampshade(self) -> str:
        return self._get("lampshade", "weave", ((240, 214, 168), (255, 236, 200)), 0.4, "cloth", emission=0.7)

    def view(self, variant: int) -> str:
        """A window pane, with the garden behind it painted on."""
        rng = keyed_rng(self._seed, "sky")
        sky = ((120, 170, 226), (150, 190, 232), (186, 200, 214))[int(rng.integers(3))]
        return self._get(f"view {variant}", "view", (sky, (86, 126, 70)), 1.0, "window_glass", emission=0.95)
