"use strict";

// Numbers and times as people read them.

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

function count(number) {
  return number === null || number === undefined ? "–" : plain.format(number);
}

function rate(number) {
  return number < 100 ? fine.format(number) : plain.format(number);
}

function bytes(number) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  while (1000 <= number && unit + 1 < units.length) {
    number /= 1000;
    unit += 1;
  }
  return `${rate(number)} ${units[unit]}`;
}

function seconds(number) {
  if (number === null || number === undefined) return "–";
  if (number < 10) return `${fine.format(number)} s`;
  if (number < 120) return `${plain.format(number)} s`;
  if (number < 7200) return `${plain.format(Math.floor(number / 60))} min`;
  if (number < 172800) return `${fine.format(number / 3600)} h`;
  return `${fine.format(number / 86400)} days`;
}

function milliseconds(number) {
  if (number === null || number === undefined) return "–";
  return number < 1000 ? `${rate(number)} ms` : seconds(number / 1000);
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const shortClock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

function timeOf(moment) {
  const isToday = day.format(moment) === day.format(new Date());
  return isToday ? clock.format(moment) : `${day.format(moment)}, ${clock.format(moment)}`;
}

function plural(number, one, more) {
  return `${count(number)} ${number === 1 ? one : more}`;
}
