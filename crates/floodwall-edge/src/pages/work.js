// The work, after the line and the solver. The line goes on meanwhile; who is first lets in.
var challenge = JSON.parse(text('challenge'));
var worker = null;
var step = null;
var bar, share, button;

// When work was done here in the last minutes: if the page comes back each time, no more is begun.
// -1 where nothing can be remembered.
function attempts(now) {
  try {
    var times = JSON.parse(sessionStorage.getItem('floodwall') || '[]').filter(function (time) {
      return time > Date.now() - 180000;
    });
    if (now) sessionStorage.setItem('floodwall', JSON.stringify(times.concat(Date.now())));
    return times.length;
  } catch (fault) {
    return -1;
  }
}

function setCookie(cookie) {
  document.cookie = cookie + '; Path=/; SameSite=Lax' + (location.protocol === 'https:' ? '; Secure' : '');
}

function keepsCookies() {
  try {
    setCookie('floodwall_test=1; Max-Age=9');
    var kept = /floodwall_test=1/.test(document.cookie);
    setCookie('floodwall_test=; Max-Age=0');
    return kept;
  } catch (fault) {
    return false;
  }
}

function tried(count) {
  bar.value = Math.floor(100 * count / (challenge.maxnumber + 1));
  share.textContent = text('share').replace('#', bar.value);
}

function stop(words) {
  if (worker) worker.terminate();
  worker = step = null;
  button.textContent = text('start');
  say(words);
}

function found(number) {
  if (number < 0) return stop(text('failed'));
  attempts(true);
  setCookie('floodwall_work=' + btoa(JSON.stringify({
    algorithm: challenge.algorithm,
    challenge: challenge.challenge,
    number: number,
    salt: challenge.salt,
    signature: challenge.signature
  })) + '; Max-Age=300');
  tried(challenge.maxnumber + 1);
  say(text('solved'));
  enter();
}

// The worker's own program, after the solver.
function work() {
  onmessage = function (message) {
    var challenge = message.data, step = solver(challenge.salt, challenge.challenge);
    var end = challenge.maxnumber + 1, from = 0, told = Date.now(), number;
    postMessage({ tried: 0 });
    for (; from < end; from += 500) {
      number = step(from, Math.min(from + 500, end));
      if (number >= 0) return postMessage({ found: number });
      if (Date.now() - told > 100) {
        told = Date.now();
        postMessage({ tried: from });
      }
    }
    postMessage({ found: -1 });
  };
}

// In small slices on the page, so that it can still be used.
function workHere() {
  var own = step = solver(challenge.salt, challenge.challenge);
  var end = challenge.maxnumber + 1, from = 0;
  (function slice() {
    if (step !== own) return;
    var until = Date.now() + 20, number = -1;
    for (; number < 0 && from < end && Date.now() < until; from += 100) {
      number = step(from, Math.min(from + 100, end));
    }
    if (number >= 0 || from >= end) return found(number);
    tried(from);
    setTimeout(slice, 5);
  })();
}

function start() {
  say('');
  tried(0);
  button.textContent = text('stop');
  var own, begun = false;
  function fall() {
    if (worker !== own) return;
    own.terminate();
    worker = null;
    workHere();
  }
  try {
    var program = solver + '(' + work + ')()';
    own = worker = new Worker(URL.createObjectURL(new Blob([program], { type: 'text/javascript' })));
    own.onerror = fall;
    // Some browsers never say that they run no worker.
    setTimeout(function () {
      if (!begun) fall();
    }, 5000);
    own.onmessage = function (message) {
      begun = true;
      if (worker !== own) return;
      if (message.data.found === undefined) tried(message.data.tried);
      else found(message.data.found);
    };
    own.postMessage(challenge);
  } catch (fault) {
    worker = null;
    workHere();
  }
}

function add(kind, words) {
  var added = document.createElement(kind);
  added.textContent = words;
  return element('work').appendChild(added);
}

if (!keepsCookies()) say(text('no-cookie'));
else {
  add('h2', text('heading'));
  add('p', text('what'));
  bar = add('progress', '');
  bar.max = 100;
  bar.setAttribute('aria-label', text('bar'));
  share = add('p', '');
  button = add('button', '');
  button.type = 'button';
  button.onclick = function () {
    if (worker || step) stop(text('stopped'));
    else start();
  };
  var before = attempts();
  if (before >= 3) stop(text('in-vain'));
  else if (before < 0) stop('');
  else start();
}
