// The line: in the choice, in the waiting room, and where there is no room. Written for old browsers too.
// What it has to know and say stands in attributes of <main>.
var main = document.querySelector('main');
var link = element('again');
var leaving = false;

function element(id) {
  return document.getElementById(id);
}

function text(name) {
  return main.getAttribute('data-' + name) || '';
}

function say(words) {
  element('said').textContent = words;
}

// Loads the page that was asked for, once.
function enter() {
  if (leaving) return;
  leaving = true;
  // An address that differs in nothing but `#...` would only be scrolled to.
  if (location.hash && link.href === location.href.split('#')[0]) location.reload();
  else location.replace(link.href);
}

// The place in line. Whoever sees the page sees each change; read out is one in half a minute.
var refresh = Number(text('refresh'));
var heard = Date.now();

function waitOn() {
  setTimeout(ask, refresh * (900 + 200 * Math.random()));
}

function show(words) {
  var place = element('place').firstChild;
  if (place.textContent === words) return;
  place.textContent = words;
  if (Date.now() - heard > 30000) {
    heard = Date.now();
    element('heard').textContent = words;
  }
}

function ask() {
  if (leaving) return;
  if (!window.fetch) return enter();
  var over = false;
  function next() {
    if (!over) waitOn();
    over = true;
  }
  setTimeout(next, 30000);
  fetch(link.href, {
    headers: { 'Floodwall-Place': '?1' },
    redirect: 'manual',
    cache: 'no-store',
    credentials: 'same-origin'
  }).then(function (answer) {
    if (answer.status < 429) {
      say(text('turn'));
      return enter();
    }
    var told = /^(\d+); url=(\/.*)$/.exec(answer.headers.get('Refresh') || '');
    if (told) {
      refresh = Number(told[1]) || refresh;
      link.setAttribute('href', told[2]);
    }
    if (/^text\/plain/.test(answer.headers.get('Content-Type'))) return answer.text().then(show);
  }).catch(function () {}).then(next);
}

// Somebody came back to a page that had been left.
window.onpageshow = function (event) {
  if (event.persisted) location.reload();
};

if (text('again')) setTimeout(enter, text('again') * (1000 + 200 * Math.random()));
if (refresh) waitOn();
