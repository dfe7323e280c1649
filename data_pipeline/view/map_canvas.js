"use strict";
// The drawing: points by WebGL, marks (names, rings) on a 2D canvas above, one camera for all panes.

const HIDDEN = 0, DIM = 1, SHOWN = 2, FOUND = 3;

const VERTEX = `precision highp float;
attribute vec2 place; attribute vec3 colour; attribute float state; attribute float kept;
uniform vec2 centre; uniform vec2 scale; uniform float size; uniform float pass; uniform float onlyKept;
varying vec4 tint;
void main() {
  bool mine = pass < 0.5 ? (state > 0.5 && state < 2.5) : state > 2.5;
  if (!mine || (onlyKept > 0.5 && kept < 0.5)) { gl_Position = vec4(2.0, 2.0, 2.0, 1.0); gl_PointSize = 0.0; return; }
  gl_Position = vec4((place - centre) * scale, 0.0, 1.0);
  gl_PointSize = state > 2.5 ? max(size * 1.7, size + 3.0) : size;
  tint = vec4(colour, state < 1.5 ? 0.13 : 1.0);
}`;
const FRAGMENT = `
precision highp float;
varying vec4 tint; uniform float size; uniform float strength;
void main() {
  float far = length(gl_PointCoord - 0.5) * 2.0;
  float edge = clamp(2.0 / size, 0.1, 0.9);
  float alpha = (1.0 - smoothstep(1.0 - edge, 1.0, far)) * tint.a * strength;
  gl_FragColor = vec4(tint.rgb * alpha, alpha);
}`;

class PointCanvas {
  constructor(canvas, marks, x, y, kept) {
    this.canvas = canvas;
    this.marks = marks;
    this.ink = marks.getContext("2d");
    this.x = x;
    this.y = y;
    this.kept = kept; // Uint8Array when there is a pair of maps, else null
    this.count = x.length;
    this.state = new Uint8Array(x.length).fill(SHOWN);
    this.bounds();
    this.grid();
    this.start();
    this.camera = { x: this.middle[0], y: this.middle[1], scale: 1 };
    this.paint = () => {}; // what the page draws on the marks
    this.resize();
    this.fit();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => { this.start(); this.upload("colour", this.colours); this.redraw(); });
  }

  bounds() {
    let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < this.count; i++) {
      left = Math.min(left, this.x[i]); right = Math.max(right, this.x[i]);
      low = Math.min(low, this.y[i]); high = Math.max(high, this.y[i]);
    }
    this.left = left; this.low = low;
    this.wide = Math.max(right - left, 1e-6); this.tall = Math.max(high - low, 1e-6);
    this.middle = [(left + right) / 2, (low + high) / 2];
  }

  // Points sorted into squares, so that the one under the pointer is found without looking at all.
  grid() {
    const side = (this.side = Math.max(1, Math.min(512, Math.round(Math.sqrt(this.count / 2)))));
    this.cell = new Uint32Array(this.count);
    this.begin = new Uint32Array(side * side + 1);
    for (let i = 0; i < this.count; i++) {
      this.cell[i] = this.column(this.x[i]) + side * this.line(this.y[i]);
      this.begin[this.cell[i] + 1]++;
    }
    for (let i = 0; i < side * side; i++) this.begin[i + 1] += this.begin[i];
    const next = this.begin.slice();
    this.sorted = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i++) this.sorted[next[this.cell[i]]++] = i;
  }
  column(x) { return Math.max(0, Math.min(this.side - 1, Math.floor(((x - this.left) / this.wide) * this.side))); }
  line(y) { return Math.max(0, Math.min(this.side - 1, Math.floor(((y - this.low) / this.tall) * this.side))); }

  start() {
    const gl = (this.gl = this.canvas.getContext("webgl", { antialias: false, premultipliedAlpha: true }));
    if (!gl) throw new Error("no WebGL");
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    gl.useProgram(program);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.uniform = {};
    for (const name of ["centre", "scale", "size", "pass", "onlyKept", "strength"]) this.uniform[name] = gl.getUniformLocation(program, name);
    const places = new Float32Array(2 * this.count);
    for (let i = 0; i < this.count; i++) { places[2 * i] = this.x[i]; places[2 * i + 1] = this.y[i]; }
    this.buffers = {};
    this.attribute(program, "place", 2, gl.FLOAT, false, places);
    this.attribute(program, "colour", 4, gl.UNSIGNED_BYTE, true, new Uint8Array(4 * this.count));
    this.attribute(program, "state", 1, gl.UNSIGNED_BYTE, false, this.state);
    this.attribute(program, "kept", 1, gl.UNSIGNED_BYTE, false, this.kept || new Uint8Array(this.count).fill(1));
  }
  attribute(program, name, size, type, normalised, values) {
    const gl = this.gl, at = gl.getAttribLocation(program, name);
    this.buffers[name] = gl.createBuffer();
    this.upload(name, values);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, size, type, normalised, 0, 0);
  }
  upload(name, values) {
    const gl = this.gl;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
  }
  setColours(colours) { this.colours = colours; this.upload("colour", colours); this.redraw(); }
  setState(state) { this.state = state; this.upload("state", state); this.redraw(); }

  resize() {
    this.ratio = Math.min(window.devicePixelRatio || 1, 3);
    this.width = this.marks.clientWidth; this.height = this.marks.clientHeight;
    for (const canvas of [this.canvas, this.marks]) {
      canvas.width = Math.round(this.width * this.ratio); canvas.height = Math.round(this.height * this.ratio);
    }
    this.panes = this.kept
      ? [{ left: 0, width: this.width / 2, onlyKept: false }, { left: this.width / 2, width: this.width / 2, onlyKept: true }]
      : [{ left: 0, width: this.width, onlyKept: false }];
    this.whole = 0.92 * Math.min(this.panes[0].width / this.wide, this.height / this.tall);
    this.redraw();
  }
  fit() {
    if (!this.camera) return;
    this.camera = { x: this.middle[0], y: this.middle[1], scale: this.whole };
    this.redraw();
  }
  get zoom() { return this.camera.scale / this.whole; }

  paneAt(px) { return this.panes.find((pane) => px < pane.left + pane.width) || this.panes.at(-1); }
  toScreen(i, pane) {
    return [pane.left + pane.width / 2 + (this.x[i] - this.camera.x) * this.camera.scale, this.height / 2 - (this.y[i] - this.camera.y) * this.camera.scale];
  }
  toData(px, py, pane) {
    return [this.camera.x + (px - pane.left - pane.width / 2) / this.camera.scale, this.camera.y - (py - this.height / 2) / this.camera.scale];
  }
  zoomAt(px, py, factor) {
    const pane = this.paneAt(px), [x, y] = this.toData(px, py, pane);
    this.camera.scale = Math.max(this.whole * 0.5, Math.min(this.whole * 4000, this.camera.scale * factor));
    const [nx, ny] = this.toData(px, py, pane);
    this.camera.x += x - nx; this.camera.y += y - ny;
    this.redraw();
  }
  pan(dx, dy) { this.camera.x -= dx / this.camera.scale; this.camera.y += dy / this.camera.scale; this.redraw(); }
  goTo(i) {
    this.camera.x = this.x[i]; this.camera.y = this.y[i];
    this.camera.scale = Math.max(this.camera.scale, this.whole * 6);
    this.redraw();
  }

  // The nearest visible point within some pixels, or -1.
  pick(px, py, reach) {
    const pane = this.paneAt(px), [x, y] = this.toData(px, py, pane);
    const far = Math.max(reach, this.size() / 2) / this.camera.scale;
    let best = -1, least = far * far;
    for (let line = this.line(y - far); line <= this.line(y + far); line++) {
      for (let column = this.column(x - far); column <= this.column(x + far); column++) {
        const cell = column + this.side * line;
        for (let at = this.begin[cell]; at < this.begin[cell + 1]; at++) {
          const i = this.sorted[at], distance = (this.x[i] - x) ** 2 + (this.y[i] - y) ** 2;
          if (distance <= least && this.state[i] !== HIDDEN && this.state[i] !== DIM && !(pane.onlyKept && !this.kept[i])) { best = i; least = distance; }
        }
      }
    }
    return best;
  }

  size() {
    const crowd = Math.min(this.panes[0].width, this.height) / Math.sqrt(this.count);
    return Math.max(2, Math.min(7, crowd * 0.8)) * Math.min(2.6, Math.max(1, this.zoom ** 0.33));
  }
  redraw() {
    if (this.waiting || !this.camera) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }
  draw() {
    const gl = this.gl, ratio = this.ratio, size = this.size() * ratio;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.disable(gl.SCISSOR_TEST);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.SCISSOR_TEST);
    gl.uniform2f(this.uniform.centre, this.camera.x, this.camera.y);
    gl.uniform1f(this.uniform.size, size);
    gl.uniform1f(this.uniform.strength, Math.max(0.6, Math.min(0.92, 0.55 + 40 / Math.sqrt(this.count) + 0.05 * Math.log2(Math.max(1, this.zoom)))));
    for (const pane of this.panes) {
      const box = [Math.round(pane.left * ratio), 0, Math.round(pane.width * ratio), this.canvas.height];
      gl.viewport(...box);
      gl.scissor(...box);
      gl.uniform2f(this.uniform.scale, (2 * this.camera.scale) / pane.width, (2 * this.camera.scale) / this.height);
      gl.uniform1f(this.uniform.onlyKept, pane.onlyKept ? 1 : 0);
      for (const pass of [0, 1]) {
        gl.uniform1f(this.uniform.pass, pass);
        gl.drawArrays(gl.POINTS, 0, this.count);
      }
    }
    this.ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.ink.clearRect(0, 0, this.width, this.height);
    this.paint(this.ink);
    this.frames = (this.frames || 0) + 1;
  }
}
