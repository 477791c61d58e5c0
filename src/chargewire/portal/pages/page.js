"use strict";
// Shows the pictures that /live sends. All data goes in as text, never as HTML.

const at = (id) => document.getElementById(id);

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const clock = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const moment = (time) => {
  const date = new Date(time);
  const today = date.toDateString() === new Date().toDateString();
  return today ? clock(time) : `${date.toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" })} ${clock(time)}`;
};
const decimals = (value, count) => (value === null || value === undefined ? "–" : value.toFixed(count));
const money = (value, currency) => (value === null || value === undefined ? "–" : `${value.toFixed(2)} ${currency}`);

function row(...cells) {
  return make("tr", "", ...cells.map(([content, className]) => make("td", className, content)));
}

function fill(id, rows, columns, nothing) {
  if (!rows.length) {
    const cell = make("td", "none", nothing);
    cell.colSpan = columns;
    rows = [make("tr", "", cell)];
  }
  at(id).replaceChildren(...rows);
}

function chip(text, status) {
  const element = make("span", "plug", text);
  element.dataset.status = status;
  return element;
}

function battery(percent) {
  const level = make("i");
  level.style.width = `${Math.min(100, Math.max(0, percent))}%`;
  const bar = make("span", "soc", level);
  bar.title = `state of charge ${percent} %`;
  return bar;
}

function sessionRow(session) {
  const energy = make("span", "", decimals(session.kwh, 3));
  if (session.state_of_charge !== null) energy.append(battery(session.state_of_charge));
  const power = session.parked ? chip("parked", "parked") : decimals(session.power_kw, 1);
  const place = make("span", "", session.station, make("span", "sub", ` ${session.evse}`));
  return row(
    [place], [session.cpo, "far"], [moment(session.started), "far"], [energy, "n"], [power, "n"],
    [money(session.cost, session.currency), "n"], [session.token, "sub far"],
  );
}

function cdrRow(cdr) {
  return row(
    [moment(cdr.stopped)], [cdr.station], [cdr.cpo, "far"], [String(cdr.minutes), "n far"],
    [decimals(cdr.kwh, 3), "n"], [money(cdr.cost, cdr.currency), "n"],
  );
}

function stationCard(station) {
  const plugs = make("div", "plugs", ...station.plugs.map((plug) => {
    const element = chip(plug.status.toLowerCase(), plug.status);
    element.title = plug.uid;
    return element;
  }));
  const card = make(
    "div", station.online ? "station" : "station offline", make("b", "", station.id),
    make("div", "sub", `${station.cpo} · ${station.online ? station.place || station.city : "offline"}`), plugs,
  );
  card.title = [station.place, station.city, station.online ? "online" : "offline"].filter(Boolean).join(" · ");
  return card;
}

function deliveryLine(delivery) {
  const failing = delivery.failures_in_a_row > 2 || delivery.parked > 0;
  const facts = [`${delivery.delivered ?? 0} sent`];
  if (delivery.waiting) facts.push(`${delivery.waiting} waiting`);
  if (delivery.parked) facts.push(`${delivery.parked} refused`);
  if (delivery.lag_s) facts.push(`${delivery.lag_s.toFixed(1)} s behind`);
  const line = make(
    "div", "delivery", make("span", "", delivery.module, " ", chip(failing ? "failing" : delivery.state, failing ? "failing" : delivery.state)),
    make("span", "sub", facts.join(" · ")),
  );
  line.title = failing ? `${delivery.url}: ${delivery.last_error}` : delivery.url;
  return line;
}

function subscriptionCard(subscription) {
  return make(
    "div", "subscription", make("b", "", subscription.name), " ", chip(subscription.state, subscription.state),
    make("p", "sub", subscription.scope || "nobody in scope"), make("p", "sub", subscription.modules.join(" · ")),
    ...subscription.deliveries.map(deliveryLine),
  );
}

function show(picture) {
  const online = picture.stations.filter((station) => station.online).length;
  const shown = picture.stations.length;
  at("t-online").textContent = shown < picture.stations_total ? `${online}+` : `${online} / ${picture.stations_total}`;
  at("t-sessions").textContent = picture.sessions_total;
  at("t-power").textContent = decimals(picture.sessions.reduce((sum, session) => sum + (session.power_kw || 0), 0), 1);
  at("t-cdrs").textContent = picture.cdrs_total;
  at("stations-note").textContent = shown < picture.stations_total ? `${shown} of ${picture.stations_total}` : "";
  fill("sessions", picture.sessions.map(sessionRow), 7, "Nobody is charging.");
  fill("cdrs", picture.cdrs.map(cdrRow), 6, "No CDR in the last 24 hours.");
  at("stations").replaceChildren(...(shown ? picture.stations.map(stationCard) : [make("p", "sub", "No station yet.")]));
  at("subscriptions").replaceChildren(
    ...(picture.subscriptions.length ? picture.subscriptions.map(subscriptionCard) : [make("p", "sub", "No subscription yet.")]),
  );
  at("parked").hidden = !picture.parked.length;
  at("parked").textContent = `Knocked, but no location has them: ${picture.parked.join(", ")}`;
}

function state(className, text) {
  at("pulse").className = `pulse ${className}`;
  at("pulse").textContent = text;
}

const source = new EventSource("/live");
source.onmessage = (event) => {
  const picture = JSON.parse(event.data);
  if (picture.trouble) {
    state("lost", picture.trouble);
    return;
  }
  state("live", `live ${new Date(picture.at).toLocaleTimeString()}`);
  show(picture);
};
source.onerror = () => state("lost", "connection lost, trying again");
