// Logs given events with the real log4cplus as a given properties file says.
//
//   LOG4CPLUS_START=TIME log4cplus-driver PROPERTIES < EVENTS
//
// LOG4CPLUS_START and the events' times are microseconds since 1970: the library's clock stands still between
// events. An event is a line of fields separated by TAB (with \t \n \\ escaped): time, logger, level,
// nested context, thread, second thread name, file, line, function, message, and any number of KEY=VALUE
// of the mapped context. Standard error has what the library says of the file, a line `configured`, and what
// appenders write there. What goes to syslog(3) is written to standard output as `syslog ...` lines.
#include <log4cplus/configurator.h>
#include <log4cplus/helpers/loglog.h>
#include <log4cplus/initializer.h>
#include <log4cplus/logger.h>
#include <log4cplus/loglevel.h>
#include <log4cplus/spi/loggingevent.h>

#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <sstream>
#include <string>
#include <syslog.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <vector>

static long long now_us;

// The library asks for the time before main() runs.
static long long now() {
  if (now_us == 0) now_us = atoll(getenv("LOG4CPLUS_START"));
  return now_us;
}

// The library and libstdc++ find these before the C library's.
extern "C" {
int clock_gettime(clockid_t, struct timespec *to) noexcept {
  to->tv_sec = now() / 1000000;
  to->tv_nsec = now() % 1000000 * 1000;
  return 0;
}

int gettimeofday(struct timeval *__restrict to, void *__restrict) noexcept {
  to->tv_sec = now() / 1000000;
  to->tv_usec = now() % 1000000;
  return 0;
}

time_t time(time_t *to) noexcept {
  if (to) *to = now() / 1000000;
  return now() / 1000000;
}

int gethostname(char *to, size_t length) noexcept {
  strncpy(to, "hv1", length);
  return 0;
}

pid_t getpid() noexcept { return 4242; }

void openlog(const char *ident, int option, int facility) {
  printf("openlog %s %d\n", ident ? ident : "(null)", facility);
  fflush(stdout);
  (void)option;
}

void closelog() {}

static void say(int priority, const char *format, va_list args) {
  printf("syslog %d ", priority);
  vprintf(format, args);
  printf("\n");
  fflush(stdout);
}

void syslog(int priority, const char *format, ...) {
  va_list args;
  va_start(args, format);
  say(priority, format, args);
  va_end(args);
}

// What syslog() becomes with _FORTIFY_SOURCE.
void __syslog_chk(int priority, int, const char *format, ...) {
  va_list args;
  va_start(args, format);
  say(priority, format, args);
  va_end(args);
}
}

static std::string unescape(const std::string &text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      char c = text[++i];
      out += c == 'n' ? '\n' : c == 't' ? '\t' : c;
    } else
      out += text[i];
  }
  return out;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  log4cplus::Initializer initializer;
  log4cplus::PropertyConfigurator::doConfigure(argv[1]);
  // What the library says of the file ends here on standard error; what follows is what appenders write.
  std::cerr << "configured\n";
  log4cplus::helpers::LogLog::getLogLog()->setQuietMode(true);
  std::string line;
  while (std::getline(std::cin, line)) {
    std::vector<std::string> f;
    std::stringstream fields(line);
    std::string field;
    while (std::getline(fields, field, '\t')) f.push_back(unescape(field));
    if (f.size() < 10) continue;
    now_us = atoll(f[0].c_str());
    log4cplus::MappedDiagnosticContextMap mdc;
    for (size_t i = 10; i < f.size(); i++) {
      size_t at = f[i].find('=');
      mdc[f[i].substr(0, at)] = f[i].substr(at + 1);
    }
    auto level = log4cplus::getLogLevelManager().fromString(f[2]);
    log4cplus::helpers::Time time{std::chrono::microseconds(now_us)};
    log4cplus::spi::InternalLoggingEvent event(f[1], level, f[3], mdc, f[9], f[4], f[5], time, f[6],
                                               atoi(f[7].c_str()), f[8]);
    auto logger = log4cplus::Logger::getInstance(f[1]);
    if (logger.isEnabledFor(level)) logger.callAppenders(event);
  }
  return 0;
}
