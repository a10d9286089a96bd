// Plays one clip: frames, floor plan and sound. The sound is the clock.
// Frame k is the instant (k + 1) · step: its sound is the samples that end there.
"use strict";

class Player {
  static current = null; // the player that was started last: only one plays at a time

  // room: the element that receives the pictures · onDraw: called after each change of time or sound
  constructor(clip, room, onDraw = () => {}) {
    this.clip = clip; this.onDraw = onDraw; this.which = 0; this.target = null; this.looping = false;
    this.sounds = clip.sounds.map((sound) => ({
      ...sound, element: this.audioElement(sound.audio), picture: sound.spectrogram ? loaded(sound.spectrogram) : null,
    }));
    this.stage = stageOf(clip, room);
    for (const image of this.stage.images) image.addEventListener("load", () => this.draw());
  }

  get sound() { return this.sounds[this.which]; }
  get audio() { return this.sound.element; }
  get playing() { return !this.audio.paused && !this.audio.ended; }
  get total() { return this.clip.frames * this.clip.step; }
  // Until the browser has finished a seek, its target is the current time.
  get seconds() { return Math.min(this.total, this.target ?? (this.audio.currentTime || 0)); }
  get position() { return this.seconds / this.clip.step - 1; } // in frames, a real number
  get frame() { return Math.max(0, Math.min(this.clip.frames - 1, Math.round(this.position))); }

  draw() {
    drawStage(this.stage, this.clip, this.position);
    this.onDraw(this);
  }

  seek(time) {
    this.target = Math.max(0, Math.min(this.total, time));
    this.audio.currentTime = Math.min(this.target, this.total - 1e-3);
    this.draw();
  }

  step(frames) {
    this.pause();
    const frame = Math.max(0, Math.min(this.clip.frames - 1, Math.max(0, Math.round(this.position)) + frames));
    this.seek((frame + 1) * this.clip.step);
  }

  play() {
    if (this.seconds >= this.total - 0.01) this.seek(0);
    this.target = null;
    return this.audio.play();
  }

  pause() { this.audio.pause(); }

  toggle() { return this.playing ? Promise.resolve(this.pause()) : this.play(); }

  // Another sound of the same clip, at the same time and with the same settings.
  choose(which) {
    const before = this.audio, playing = this.playing;
    this.which = which;
    if (this.audio !== before) {
      this.audio.currentTime = before.currentTime;
      before.pause();
      if (playing) this.audio.play();
    }
    this.draw();
  }

  set(name, value) { for (const sound of this.sounds) sound.element[name] = value; } // volume, muted, playbackRate

  release() {
    for (const { element } of this.sounds) { element.pause(); URL.revokeObjectURL(element.src); }
  }

  // From base64 to a blob, in which every browser can seek.
  audioElement(uri) {
    const [head, body] = uri.split(","), bytes = Uint8Array.from(atob(body), (c) => c.charCodeAt(0));
    const audio = new Audio(URL.createObjectURL(new Blob([bytes], { type: head.slice(5).split(";")[0] })));
    audio.preload = "auto";
    audio.addEventListener("play", () => {
      if (Player.current && Player.current !== this) Player.current.pause();
      Player.current = this; this.target = null;
      if (!this.looping) { this.looping = true; this.loop(); }
    });
    for (const event of ["pause", "ended"]) audio.addEventListener(event, () => this.draw());
    audio.addEventListener("seeked", () => {
      if (this.target !== null && Math.abs(audio.currentTime - this.target) > 0.05) this.target = null; // moved by the browser's own controls
      this.draw();
    });
    return audio;
  }

  loop() {
    this.looping = this.playing;
    if (!this.playing) return;
    this.target = null;
    if (!document.hidden) this.draw();
    requestAnimationFrame(() => this.loop());
  }
}
