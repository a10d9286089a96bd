// Two endless sounds, made of parts of 0.15 s, played one after another without gaps. Their clock is that of the page.
"use strict";
const RATE = 16000; // of the sounds and of the context: parts are not resampled, which would click at their borders
const TAIL = 0.012; // seconds after a part in which it fades out if the next one is late
const RAMP = 0.015; // seconds in which a volume changes

class Sounds {
  // names: of the sounds; all have parts of the same length at the same times · context: of rate RATE
  constructor(names, context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" })) {
    this.context = context;
    this.master = this.context.createGain();
    this.master.connect(this.context.destination);
    this.buses = Object.fromEntries(names.map((name) => {
      const bus = this.context.createGain();
      bus.connect(this.master);
      return [name, { bus, last: null, end: null }];
    }));
    this.next = null; // frame at which the next part begins
    this.parts = 0; this.late = 0;
  }

  get now() { return this.context.currentTime; }
  // Seconds of sound that are still to come.
  get ahead() { return this.next === null ? 0 : this.next / RATE - this.now; }
  // Seconds from now until what is scheduled now is heard.
  get latency() { return (this.context.baseLatency || 0) + (this.context.outputLatency || 0); }

  resume() { return this.context.resume(); }
  suspend() { return this.context.suspend(); }

  volume(gain) { this.master.gain.setTargetAtTime(gain, this.now, RAMP / 3); }
  mix(gains) { for (const [name, gain] of Object.entries(gains)) this.buses[name].bus.gain.setTargetAtTime(gain, this.now, RAMP / 3); }

  // parts: name -> Float32Array, left ear then right ear. Returns when it begins, in seconds of the clock.
  add(parts) {
    const earliest = Math.ceil((this.now + 0.02) * RATE);
    const late = this.next === null || this.next < earliest;
    if (late && this.next !== null) this.late++;
    const frame = late ? earliest : this.next, start = frame / RATE;
    let length = 0;
    for (const [name, samples] of Object.entries(parts)) {
      const held = this.buses[name];
      length = samples.length / 2;
      // The previous part goes on into its fading tail only if this one comes too late.
      if (held.last && !late) held.last.stop(start);
      held.last = this.source(samples, length, late);
      held.last.connect(held.bus);
      held.last.start(start);
    }
    this.next = frame + length; this.parts++;
    return start;
  }

  source(samples, length, fadeIn) {
    const tail = Math.round(TAIL * RATE), buffer = this.context.createBuffer(2, length + tail, RATE);
    for (const ear of [0, 1]) {
      const part = samples.subarray(ear * length, (ear + 1) * length), data = buffer.getChannelData(ear);
      data.set(part);
      for (let n = 0; n < tail; n++) data[length + n] = part[length - 1 - n] * 0.5 * (1 + Math.cos((Math.PI * (n + 1)) / tail));
      if (fadeIn) for (let n = 0; n < tail; n++) data[n] *= 0.5 * (1 - Math.cos((Math.PI * (n + 1)) / tail));
    }
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    return source;
  }

  // After a pause, the next part begins anew.
  restart() {
    this.next = null;
    for (const held of Object.values(this.buses)) held.last = null;
  }
}
