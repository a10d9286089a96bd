"""The style of a house: its named surfaces. Each is drawn once, so that the rooms of a house match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.houses.textures.palette import WHITE, draw_palette
from avw.sim_bridge.scenes.houses.textures.textures import Colour, draw_texture, shade
from avw.sim_bridge.scenes.materials.materials import material
from avw.sim_bridge.scenes.scene import Surface

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder

LARGE, MIDDLE, SMALL = 256, 128, 32  # side of a texture (pixels)
_OFFICE_ROOMS = ("open office", "office", "meeting room", "reception", "copy room", "break room")
_WET_ROOMS = ("bathroom", "toilet", "restroom", "laundry")
_SHARED_ROOMS = ("living", "living kitchen", "dining", "hallway", "kitchen", "open office", "reception")


class Style:
    """Returns the names of surfaces, and registers each with the builder when it is first used.

    A surface depends only on `seed` and its name, so that one more piece of furniture does not change the other
    textures of the house. Rooms are numbered as in the floor plan; `kind` is the kind of room.
    """

    def __init__(self, builder: MeshBuilder, seed: int):
        self._builder = builder
        self._seed = seed
        rng = keyed_rng(seed, "style")
        self.palette = draw_palette(rng)
        self._ceiling = shade(WHITE, float(rng.uniform(0.94, 1.0)))
        self._plasterboard = bool(rng.random() < 0.5)
        self._wooden_doors = bool(rng.random() < 0.35)
        self._panels = bool(rng.random() < 0.7)
        self._shared_boards = bool(rng.random() < 0.75)  # the same boards in all shared rooms
        self._leather_sofa = bool(rng.random() < 0.2)
        self.padded = bool(rng.random() < 0.5)  # chairs
        self.chair_design = int(rng.integers(4))

    def _get(
        self,
        name: str,
        kind: str,
        colours: Sequence[Colour],
        repeat: float,
        material_name: str,
        emission: float = 0.0,
        size: int = MIDDLE,
    ) -> str:
        if self._builder.has(name):
            return name
        texture_HWC = draw_texture(kind, colours, keyed_rng(self._seed, "texture", name), size)
        return self._builder.surface(
            Surface(name=name, texture_HWC=texture_HWC, material=material(material_name), emission=emission), repeat
        )

    def _plain(self, name: str, colour: Colour, material_name: str, emission: float = 0.0) -> str:
        return self._get(name, "plain", (colour,), 0.8, material_name, emission, SMALL)

    # Rooms

    def wall(self, room: int, kind: str) -> str:
        """Walls of a room: paint, wallpaper, tiles, bricks, concrete or panelling."""
        rng = keyed_rng(self._seed, "wall", room)
        p = self.palette
        paint = p.paints[0] if kind in _SHARED_ROOMS else p.paints[1 + room % (len(p.paints) - 1)]
        solid = "plasterboard_wall" if self._plasterboard else "plaster_wall"
        if kind in _WET_ROOMS and kind != "laundry":
            pattern = str(rng.choice(["tiles", "metro", "hexagons", "plaster", "checker", "marble"]))
            pale = shade(paint, 1.3)
            if pattern == "plaster":
                return self._get(f"wall {room}", "plaster", (pale,), 2.0, solid, size=LARGE)
            second = {"checker": p.stones[0], "marble": shade(p.stones[2], 1.1)}.get(pattern, shade(pale, 0.78))
            repeat = {"metro": 0.8, "marble": 1.6}.get(pattern, 0.8)
            material_name = "marble_floor" if pattern == "marble" else "ceramic_tiles"
            return self._get(f"wall {room}", pattern, (pale, second), repeat, material_name, size=LARGE)
        # Shared rooms have the same paint, unless this one gets a special covering.
        name = "wall" if kind in _SHARED_ROOMS else f"wall {room}"
        if kind in _OFFICE_ROOMS:
            return self._get(name, "plaster", (shade(paint, 1.2),), 2.0, solid, size=LARGE)
        pattern = (
            str(rng.choice(p.coverings)) if kind not in ("hallway", "kitchen", "laundry", "storage") else "plaster"
        )
        if pattern == "plaster" or rng.random() < 0.35:
            return self._get(name, "plaster", (paint,), 2.0, solid, size=LARGE)
        name = f"wall {room}"
        if pattern == "bricks":
            return self._get(name, "bricks", ((172, 98, 76), (196, 186, 172)), 1.0, "brick_wall", size=LARGE)
        if pattern == "white bricks":
            return self._get(name, "bricks", ((232, 228, 220), (206, 202, 194)), 1.0, "brick_wall", size=LARGE)
        if pattern == "concrete":
            return self._get(name, "concrete", ((176, 174, 170),), 2.6, "concrete", size=LARGE)
        if pattern == "panel":
            return self._get(name, "planks", p.woods[1], 1.2, "wood_panelling", size=LARGE)
        second = shade(paint, 0.86) if rng.random() < 0.6 else shade(p.accents[room % 6], 1.6)
        return self._get(name, pattern, (paint, second), 1.1, solid, size=LARGE)

    def accent_wall(self, room: int) -> str:
        """The accent wall of a room, in a stronger colour than its other walls."""
        rng = keyed_rng(self._seed, "accent colour", room)
        colour = self.palette.accents[room % 8]
        pattern = str(rng.choice(["plaster", "plaster", *self.palette.coverings]))
        if pattern in ("bricks", "white bricks", "concrete", "panel"):
            if pattern == "panel":
                return self._get(
                    f"accent wall {room}", "planks", self.palette.woods[0], 1.2, "wood_panelling", size=LARGE
                )
            ground = (232, 228, 220) if pattern == "white bricks" else (168, 96, 74)
            return self._get(f"accent wall {room}", "bricks", (ground, (196, 188, 176)), 1.0, "brick_wall", size=LARGE)
        return self._get(f"accent wall {room}", pattern, (colour, shade(colour, 0.8)), 1.1, "plaster_wall", size=LARGE)

    def floor(self, room: int, kind: str) -> str:
        rng = keyed_rng(self._seed, "floor", room)
        p = self.palette
        stone, name = p.stones[room % len(p.stones)], f"floor {room}"
        if kind in (*_WET_ROOMS, "kitchen"):
            pattern = str(rng.choice(["tiles", "checker", "marble", "plain", "terrazzo", "hexagons"]))
            material_name = {"marble": "marble_floor", "plain": "linoleum", "terrazzo": "marble_floor"}.get(
                pattern, "ceramic_tiles"
            )
            second = shade(stone, 0.62) if pattern != "terrazzo" else p.accents[2]
            size = MIDDLE if pattern == "terrazzo" else LARGE
            return self._get(name, pattern, (stone, second), float(rng.uniform(1.0, 1.8)), material_name, size=size)
        if kind in ("storage", "copy room"):
            pattern, material_name = ("concrete", "concrete") if rng.random() < 0.5 else ("plain", "linoleum")
            return self._get(name, pattern, (stone,), 2.4, material_name, size=LARGE)
        if kind in _OFFICE_ROOMS:
            pattern = str(rng.choice(["carpet_tiles", "carpet_tiles", "planks", "concrete", "terrazzo"]))
            if pattern == "carpet_tiles":
                colour = shade(p.fabrics[3], 0.9)
                return self._get("office floor", pattern, (colour, shade(colour, 1.5)), 2.0, "carpet_thin", size=LARGE)
            if pattern in ("concrete", "terrazzo"):
                material_name = "concrete" if pattern == "concrete" else "marble_floor"
                return self._get(name, pattern, (shade(stone, 1.1), p.accents[1]), 2.4, material_name)
        if kind in ("bedroom", "child room", "study") and rng.random() < 0.35:
            colour = shade(p.fabrics[room % len(p.fabrics)], 1.3)
            return self._get(name, "pile", (colour, shade(colour, 1.3)), 1.0, "carpet_thin", size=LARGE)
        shared = self._shared_boards or kind in ("hallway", *_OFFICE_ROOMS)
        rng = keyed_rng(self._seed, "boards", 0 if shared else room)
        name = "boards" if shared else name
        pattern = str(rng.choice(["planks", "herringbone", "parquet", "tiles"], p=[0.5, 0.22, 0.16, 0.12]))
        if pattern == "tiles":
            return self._get(name, "tiles", (p.stones[0], shade(p.stones[0], 0.7)), 2.4, "ceramic_tiles", size=LARGE)
        wood = p.woods[int(rng.integers(3))]
        repeat = {"planks": 1.5, "herringbone": 1.1, "parquet": 1.4}[pattern]
        return self._get(name, pattern, wood, repeat, "wood_floor", size=LARGE)

    def ceiling(self, kind: str) -> str:
        """Painted plasterboard, or panels in some offices."""
        if self._panels and kind in _OFFICE_ROOMS:
            grey = shade(WHITE, 0.8)
            return self._get("ceiling panels", "panels", (self._ceiling, grey), 2.4, "plasterboard_ceiling", size=LARGE)
        return self._get("ceiling", "plaster", (self._ceiling,), 2.0, "plasterboard_ceiling")

    def trim(self) -> str:
        """Door frames, window frames and skirting boards."""
        return self._plain("trim", self.palette.trim, "wood_furniture")

    def threshold(self) -> str:
        return self._get("threshold", "grain", self.palette.woods[0], 0.5, "wood_floor")

    def door(self) -> str:
        """Inner doors: white, coloured or wooden."""
        if self._wooden_doors:
            return self._get("door", "grain", self.palette.woods[0], 0.9, "wooden_door")
        return self._plain("door", self.palette.door, "wooden_door")

    def front_door(self) -> str:
        colour = self.palette.accents[0]
        return self._get("front door", "grain", (shade(colour, 0.8), colour), 0.9, "wooden_door")

    def view(self, variant: int) -> str:
        """A window pane with a picture of the view outside. variant: one of three drawings"""
        rng = keyed_rng(self._seed, "sky")
        sky = ((120, 170, 226), (150, 190, 232), (186, 200, 214), (206, 196, 200))[int(rng.integers(4))]
        pattern = str(rng.choice(["view", "view", "city", "city", "sea"]))
        ground = ((86, 126, 70), (124, 132, 84), (168, 128, 104), (150, 144, 138))[
            int(rng.integers(2)) + 2 * (pattern == "city")
        ]
        return self._get(f"view {variant}", pattern, (sky, ground), 1.0, "window_glass", 0.95, LARGE)

    # Furniture

    def wood(self, variant: int = 0) -> str:
        return self._get(f"wood {variant}", "grain", self.palette.woods[variant], 0.8, "wood_furniture")

    def chair_wood(self) -> str:
        return self._get("chair wood", "grain", self.palette.woods[1], 0.6, "wooden_chair")

    def lacquer(self, variant: int = 0) -> str:
        """Painted cabinet fronts."""
        p = self.palette
        colour = (WHITE, shade(p.paints[3], 0.95), shade(p.accents[4], 1.3), (98, 108, 118))[variant]
        return self._plain(f"lacquer {variant}", colour, "wood_furniture")

    def lacquer_black(self) -> str:
        return self._plain("black lacquer", (26, 25, 27), "wood_furniture")

    def kitchen_front(self) -> str:
        if self._seed % 4 == 0:
            return self._get("kitchen front", "grain", self.palette.woods[1], 0.8, "wood_furniture")
        return self._plain("kitchen front", self.palette.kitchen, "wood_furniture")

    def worktop(self) -> str:
        p = self.palette
        pattern = ("marble", "grain", "terrazzo")[int(keyed_rng(self._seed, "worktop").integers(3))]
        colours = {"grain": p.woods[2], "terrazzo": (p.stones[1], p.accents[1])}.get(
            pattern, (p.stones[2], shade(p.stones[2], 0.7))
        )
        return self._get("worktop", pattern, colours, 0.8, "wood_furniture" if pattern == "grain" else "marble_floor")

    def fabric(self, variant: int = 0) -> str:
        colour = self.palette.fabrics[variant]
        return self._get(f"fabric {variant}", "weave", (shade(colour, 0.85), shade(colour, 1.2)), 0.5, "upholstery")

    def sofa(self) -> str:
        if self._leather_sofa:
            return self.leather(4)
        return self.fabric(0)

    def leather(self, variant: int) -> str:
        colour = ((52, 38, 30), (30, 30, 32), (128, 78, 44), (214, 208, 198), (110, 66, 40), (150, 40, 40))[variant]
        return self._get(f"leather {variant}", "plaster", (colour,), 0.4, "leather")

    def bedding(self, variant: int = 0) -> str:
        colour = self.palette.fabrics[(variant + 4) % 9]
        pattern = ("stripes", "dots", "weave", "sprigs", "chevron")[(variant + self._seed) % 5]
        return self._get(f"bedding {variant}", pattern, (shade(colour, 1.6), colour), 0.7, "bedding")

    def linen(self) -> str:
        return self._get("linen", "weave", ((226, 222, 214), (246, 244, 240)), 0.5, "bedding")

    def curtain(self) -> str:
        colour = shade(self.palette.fabrics[self._seed % 5], 1.35)
        return self._get("curtain", "weave", (shade(colour, 0.9), colour), 0.35, "curtain")

    def rug(self, variant: int = 0) -> str:
        f = self.palette.fabrics
        colours = [f[(variant * 2 + k) % len(f)] for k in (0, 1, 4)]
        return self._get(f"rug {variant}", "rug", colours, 1.0, "carpet_thick", size=LARGE)

    def picture(self, variant: int) -> str:
        p = self.palette
        colours = [p.paints[variant], p.accents[variant], shade(p.accents[(variant + 3) % 8], 1.2), p.fabrics[variant]]
        return self._get(f"picture {variant}", "picture", colours, 1.0, "cloth")

    def books(self, variant: int = 0) -> str:
        return self._get(f"books {variant}", "books", (*self.palette.fabrics, WHITE, (60, 52, 48)), 1.0, "books")

    def cover(self, variant: int) -> str:
        return self._plain(f"cover {variant}", self.palette.fabrics[variant + 2], "books")

    def plastic(self) -> str:
        return self._plain("plastic", shade(self.palette.accents[1], 1.3), "plastic")

    def basket(self) -> str:
        return self._get("basket", "wicker", ((150, 116, 74), (206, 172, 122)), 0.3, "cloth")

    def cardboard(self) -> str:
        return self._get("cardboard", "grain", ((176, 138, 96), (196, 158, 114)), 0.8, "wood_panelling", size=SMALL)

    def metal(self) -> str:
        return self._plain("metal", (176, 180, 184), "metal")

    def dark_metal(self) -> str:
        return self._plain("dark metal", (52, 54, 58), "metal")

    def steel(self, variant: int) -> str:
        """Painted sheet metal."""
        colour = ((206, 208, 208), (120, 126, 134), shade(self.palette.accents[2], 1.3))[variant]
        return self._plain(f"steel {variant}", colour, "metal")

    def shade(self) -> str:
        """The metal shade of a lamp."""
        return self._plain("shade", self.palette.accents[5], "metal")

    def ceramic(self) -> str:
        return self._plain("ceramic", (244, 244, 242), "sanitary_ceramic")

    def enamel(self) -> str:
        return self._plain("enamel", (236, 236, 234), "metal")

    def panel_white(self) -> str:
        return self._plain("white panel", (238, 238, 236), "hard_surface")

    def pot(self, variant: int = 0) -> str:
        p = self.palette
        colour = (p.stones[2], (172, 98, 70), shade(p.accents[0], 1.1))[variant]
        return self._get(f"pot {variant}", "plaster", (colour,), 0.5, "sanitary_ceramic", size=SMALL)

    def glaze(self, variant: int) -> str:
        """Crockery."""
        colour = (WHITE, shade(self.palette.accents[0], 1.2), shade(self.palette.accents[4], 1.2))[variant]
        return self._plain(f"glaze {variant}", colour, "sanitary_ceramic")

    def mantel(self) -> str:
        stone = self.palette.stones[0]
        return self._get("mantel", "marble", (stone, shade(stone, 0.75)), 1.2, "marble_floor")

    def hearth(self) -> str:
        return self._get("hearth", "bricks", ((96, 60, 48), (84, 80, 76)), 0.9, "brick_wall")

    def mirror(self) -> str:
        return self._get("mirror", "screen", ((150, 168, 178), (226, 236, 240)), 1.0, "glass")

    def glass(self) -> str:
        return self._plain("glass", (206, 222, 222), "glass")

    def bottle(self, variant: int) -> str:
        return self._plain(f"bottle {variant}", ((52, 92, 60), (120, 70, 34), (196, 214, 210))[variant], "glass")

    def screen(self) -> str:
        return self._get("screen", "screen", ((18, 20, 24), (70, 84, 104)), 1.0, "glass")

    def desktop(self) -> str:
        colours = (shade(self.palette.accents[0], 0.6), self.palette.accents[3], (70, 110, 170))
        return self._get("desktop", "desktop", colours, 1.0, "glass", 0.55)

    def keyboard(self) -> str:
        return self._get("keyboard", "keyboard", ((24, 25, 28), (70, 72, 78)), 1.0, "plastic")

    def leds(self) -> str:
        return self._get("leds", "leds", ((44, 46, 52), (90, 230, 120)), 1.0, "metal", 0.2)

    def goods(self) -> str:
        return self._get("goods", "goods", (*self.palette.flowers, WHITE), 1.0, "glass", 0.5)

    def keys(self) -> str:
        return self._get("piano keys", "keys", ((244, 242, 234), (24, 24, 26)), 1.0, "plastic")

    def board(self) -> str:
        pens = ((40, 80, 170), (190, 50, 50), (40, 130, 70), (40, 42, 46))
        return self._get("board", "board", ((248, 248, 247), *pens), 1.0, "hard_surface")

    def paper(self, variant: int) -> str:
        ink, figure = (60, 62, 68), self.palette.accents[variant]
        return self._get(f"paper {variant}", "paper", ((248, 247, 243), figure, ink), 1.0, "cloth")

    def cork(self) -> str:
        return self._get("cork", "pile", ((164, 120, 76), (196, 152, 104)), 0.6, "linoleum")

    def clock_face(self) -> str:
        return self._get("clock", "clock", (WHITE, (40, 40, 44)), 1.0, "hard_surface")

    def leaves(self, variant: int = 0) -> str:
        colours = (((38, 84, 36), (112, 164, 74)), ((52, 92, 66), (134, 170, 122)))[variant]
        return self._get(f"leaves {variant}", "leaves", colours, 0.4, "foliage")

    def soil(self) -> str:
        return self._plain("soil", (62, 46, 36), "cloth")

    def wax(self) -> str:
        return self._plain("wax", (238, 228, 206), "plastic")

    def toy(self, variant: int) -> str:
        return self._plain(f"toy {variant % 4}", self.palette.flowers[variant % 4], "plastic")

    def lamp(self) -> str:
        return self._plain("lamp", (255, 246, 226), "plastic", 1.0)

    def lampshade(self) -> str:
        return self._get("lampshade", "weave", ((240, 214, 168), (255, 236, 200)), 0.4, "cloth", 0.7, 64)
