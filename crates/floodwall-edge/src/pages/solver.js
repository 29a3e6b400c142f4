// Counts until SHA-256(salt + number) is the goal. Plain arithmetic: crypto.subtle is missing on pages
// without HTTPS, and is slow for many short texts. FIPS 180-4. Runs in a worker or, where there is
// none, on the page; so it must not use anything around it.
function solver(salt, goal) {
  var K = new Int32Array(64), start = new Int32Array(8), W = new Int32Array(64);
  var state = new Int32Array(8), block = new Int32Array(32), target = new Int32Array(8);
  var tail = salt.length % 64, found = 0, candidate, factor, i;

  // The constants are the first bits of the fractions of roots of primes (sections 4.2.2, 5.3.3).
  function fraction(root) {
    return ((root - Math.floor(root)) * 4294967296) | 0;
  }
  for (candidate = 2; found < 64; candidate++) {
    for (factor = 2; factor * factor <= candidate && candidate % factor; factor++);
    if (factor * factor > candidate) {
      if (found < 8) start[found] = fraction(Math.sqrt(candidate));
      K[found++] = fraction(Math.pow(candidate, 1 / 3));
    }
  }

  function put(words, at, code) {
    words[at >> 2] |= code << (24 - 8 * (at & 3));
  }

  function compress(state, words, at) {
    var a = state[0], b = state[1], c = state[2], d = state[3];
    var e = state[4], f = state[5], g = state[6], h = state[7];
    var i, x, y;
    for (i = 0; i < 16; i++) W[i] = words[at + i];
    for (; i < 64; i++) {
      x = W[i - 15];
      y = W[i - 2];
      x = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      y = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      W[i] = (W[i - 16] + x + W[i - 7] + y) | 0;
    }
    for (i = 0; i < 64; i++) {
      x = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      x = (h + x + (g ^ (e & (f ^ g))) + K[i] + W[i]) | 0;
      y = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      y = (y + ((a & b) | (c & (a | b)))) | 0;
      h = g; g = f; f = e; e = (d + x) | 0;
      d = c; c = b; b = a; a = (x + y) | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d;
    state[4] += e; state[5] += f; state[6] += g; state[7] += h;
  }

  for (i = 0; i < 8; i++) target[i] = parseInt(goal.substr(i * 8, 8), 16);
  // The salt's whole blocks are the same for each number.
  for (i = 0; i < salt.length - tail; i++) {
    put(block, i % 64, salt.charCodeAt(i));
    if (i % 64 === 63) {
      compress(start, block, 0);
      block = new Int32Array(32);
    }
  }
  var rest = new Int32Array(16);
  for (i = 0; i < tail; i++) put(rest, i, salt.charCodeAt(salt.length - tail + i));

  // The number from `from` on and below `to` that is the answer, or -1.
  return function (from, to) {
    var number, digits, length, last, i;
    for (number = from; number < to; number++) {
      digits = String(number);
      length = tail + digits.length;
      last = length + 9 > 64 ? 31 : 15;
      for (i = 0; i < 16; i++) block[i] = rest[i];
      for (; i < 32; i++) block[i] = 0;
      for (i = 0; i < digits.length; i++) put(block, tail + i, digits.charCodeAt(i));
      put(block, length, 128);
      block[last] = (salt.length + digits.length) * 8;
      for (i = 0; i < 8; i++) state[i] = start[i];
      compress(state, block, 0);
      if (last === 31) compress(state, block, 16);
      for (i = 0; i < 8 && state[i] === target[i]; i++);
      if (i === 8) return number;
    }
    return -1;
  };
}
