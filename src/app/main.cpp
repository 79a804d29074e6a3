#include "app/application.hpp"

int main(int argc, char** argv) { return vmpatch::app::run_application(argc, argv); }
